// Logs that are written, signed and archived at once in a process of their own: node audit-child.mjs OPTIONS as JSON
// - folder, place: where the test and its database are; pem: of the key that signs; began: when the test did, in ms
// - mode: `write` until somebody kills it, or HOOSH_KILL_AT does; `fill`: so many entries by each of so many logs at once;
//   `read`: what a process left half done, and all of the log
// What was acknowledged stands in FOLDER/acknowledged.
import { randomUUID } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { fileArchive, fileSink } from '@hoosh/core/audit'
import { createAuditLog } from '../../packages/core/dist/audit/log.js'
import { signingKeyOf } from '../../packages/core/dist/config/signing-key.js'
import { kill, storageAt } from './storage.mjs'

const { folder, place, pem, began, mode, chain = 'process', logs = 1, entries = 0 } = JSON.parse(process.argv[2])
// This clock runs 20,000 times as fast, so that old entries are soon old. Whoever reads must not have the log moved under him.
const now = () => 1_700_000_000_000 + (Date.now() - began) * 20_000
const standing = now()
const clocks = { write: now, fill: Date.now, read: () => standing }
const sinkFile = `${folder}/checkpoints.ndjson`
const archiving = {
  checkpointEvery: { entries: 20 },
  onCheckpoint: kill.delivery('sink', fileSink(sinkFile)),
  retention: { keepMs: 1, segmentEntries: 25, archive: kill.delivery('archive', fileArchive(`${folder}/archive`)) },
}

async function opened() {
  const storage = await storageAt(place)
  await storage.open({ migrate: true })
  const log = createAuditLog({
    store: storage.audit,
    key: 'a key of this test alone',
    signingKey: signingKeyOf(pem),
    mode: 'strict',
    node: 'node',
    chain,
    ids: randomUUID,
    clock: clocks[mode],
    ...(mode === 'fill' ? {} : archiving),
  })
  await log.start()
  return log
}

async function append(log, count) {
  const event = { event: 'mine', level: 'info', message: 'x'.repeat(100) }
  const records = Array.from({ length: count }, () => log.record(event))
  await Promise.all(records.map((record) => log.stage(record)))
  appendFileSync(`${folder}/acknowledged`, records.map(({ id }) => `${id}\n`).join(''))
}

async function joined(pieces) {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}

const modes = {
  async write() {
    const log = await opened()
    process.stdout.write('ready\n')
    for (;;) await append(log, 5)
  },
  async fill() {
    const all = await Promise.all(Array.from({ length: logs }, opened))
    process.stdout.write('ready\n')
    await Promise.all(
      all.map(async (log) => {
        for (let left = entries; left > 0; left -= 5) await append(log, Math.min(left, 5))
        await log.close({ timeoutMs: 600_000 })
      }),
    )
    process.exit(0)
  },
  async read() {
    const log = await opened()
    await log.archive()
    const kept = existsSync(sinkFile) ? readFileSync(sinkFile, 'utf8') : ''
    const text = await joined(await log.export({}))
    const checkpoints = await joined(log.checkpoints({}))
    const { valid } = await log.verify()
    await log.close()
    // Megabytes, which an exit would cut off.
    process.stdout.write(`${JSON.stringify({ log: text, checkpoints, kept, valid })}\n`, () => process.exit(0))
  },
}
await modes[mode]()
