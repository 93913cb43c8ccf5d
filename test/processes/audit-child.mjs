// A log that is written, signed and archived at once, until somebody kills it: node audit-child.mjs FOLDER PEM EPOCH MODE
// What was acknowledged stands in FOLDER/acknowledged. Its clock runs 20,000 times as fast, so that old entries are soon old.
import { randomUUID } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { fileArchive, fileSink } from '@hoosh/core/audit'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { createAuditLog } from '../../packages/core/dist/audit/log.js'
import { signingKeyOf } from '../../packages/core/dist/config/signing-key.js'

const [folder, pem, began, mode] = process.argv.slice(2)
const now = () => 1_700_000_000_000 + (Date.now() - Number(began)) * 20_000
const standing = now()
const storage = sqlStorage(new Database(`${folder}/hoosh.sqlite`))
await storage.open({ migrate: true })
const log = createAuditLog({
  store: storage.audit,
  key: 'a key of this test alone',
  signingKey: signingKeyOf(pem),
  mode: 'strict',
  node: 'node',
  ids: randomUUID,
  // Whoever reads the log must not have it moved under him.
  clock: mode === 'read' ? () => standing : now,
  checkpointEvery: { entries: 20 },
  onCheckpoint: fileSink(`${folder}/checkpoints.ndjson`),
  retention: { keepMs: 1, segmentEntries: 25, archive: fileArchive(`${folder}/archive`) },
})
const joined = async (pieces) => {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}
await log.start()
if (mode === 'read') {
  // What a process left half done, the next one does.
  await log.archive()
  const file = `${folder}/checkpoints.ndjson`
  const kept = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const text = await joined(await log.export({}))
  const checkpoints = await joined(log.checkpoints({}))
  const { valid } = await log.verify()
  await log.close()
  process.stdout.write(`${JSON.stringify({ log: text, checkpoints, kept, valid })}\n`)
} else {
  process.stdout.write('ready\n')
  for (;;) {
    const event = { event: 'mine', level: 'info', message: 'x'.repeat(100) }
    const records = Array.from({ length: 5 }, () => log.record(event))
    await Promise.all(records.map((record) => log.stage(record)))
    appendFileSync(`${folder}/acknowledged`, records.map(({ id }) => `${id}\n`).join(''))
  }
}
