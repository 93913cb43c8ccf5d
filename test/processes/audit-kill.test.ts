import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fileSink, verifyAuditLog } from '@hoosh/core/audit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuditLog } from '../../packages/core/src/audit/log.js'
import { memoryAudit } from '../../packages/core/src/audit/memory-store.js'
import { child, killed } from '../support/children.js'
import { DATABASES, type TestDatabase } from '../support/databases.js'
import { randomFrom } from '../support/random.js'

const LONG = process.env.HOOSH_LONG === '1'
const SEED = Number(process.env.HOOSH_SEED ?? Date.now() % 1_000_000_000)
const script = new URL('./audit-child.mjs', import.meta.url)
const KEY = 'a key of this test alone'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

/** Where a process dies, by what it was at; nowhere in particular, too. */
const steps = (...names: string[]) =>
  names.flatMap((name) => ['before', 'in', 'sent', 'after'].map((at) => `${at}-${name}`))
const KINDS: Readonly<Record<string, readonly string[]>> = {
  append: steps('stage', 'link'),
  checkpoint: [...steps('checkpoint'), 'before-sink', 'after-sink'],
  segment: [...steps('trim'), 'before-archive', 'after-archive'],
  'any moment': [''],
}
const ROUNDS = LONG ? 100 : 1

function folderOf(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-audit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const textsIn = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.ndjson'))
        .sort()
        .map((name) => readFileSync(join(folder, name), 'utf8'))
    : []

/** Starts a log that writes, and waits until it is dead, which may be in the middle of its start. */
async function dies(options: object, at: string, afterMs: number): Promise<void> {
  const argument = JSON.stringify({ ...options, mode: 'write' })
  if (at === '') {
    const { process: running } = await child(script, [argument])
    await pause(afterMs)
    return killed(running)
  }
  const running = spawn(process.execPath, [fileURLToPath(script), argument], {
    env: { ...process.env, HOOSH_KILL_AT: at },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  onTestFinished(() => killed(running))
  expect({ at, end: await once(running, 'exit') }).toEqual({ at, end: [null, 'SIGKILL'] })
}

async function readAll(database: TestDatabase, folder: string, began: number) {
  const options = { folder, place: database.place, pem, began, mode: 'read' }
  const { line } = await child(script, [JSON.stringify(options)])
  return JSON.parse(line) as { log: string; checkpoints: string; kept: string; valid: boolean }
}

describe.each(DATABASES)('kill -9 of a log on $name', ({ missing, make }) => {
  it.skipIf(missing !== null)(
    `while it appends, signs or rolls a segment, ${ROUNDS} times each from HOOSH_SEED=${SEED}: what was acknowledged is there, and verifies`,
    { timeout: 3_600_000 },
    async () => {
      const database = make()
      onTestFinished(() => database.remove())
      const folder = folderOf()
      const { between } = randomFrom(SEED)
      const began = Date.now()
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const points of Object.values(KINDS)) {
          const point = points[between(0, points.length - 1)]!
          const chain = between(0, 1) === 0 ? 'process' : 'shared'
          const at = point === '' ? '' : `${point}:${between(1, 3)}`
          await dies({ folder, place: database.place, pem, began, chain }, at, between(20, 700))
        }
      }
      const { log, checkpoints, kept, valid } = await readAll(database, folder, began)
      expect(valid).toBe(true)
      const text = textsIn(join(folder, 'archive')).join('') + log
      for (const lines of [checkpoints, kept]) {
        const verdict = verifyAuditLog(text, { checkpoints: lines, publicKey, key: KEY })
        expect(verdict).toMatchObject({ firstBad: null, verdict: 'ok', tags: 'checked' })
      }
      const ids = new Set(
        text.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { id?: string }).id])),
      )
      const acknowledged = readFileSync(join(folder, 'acknowledged'), 'utf8').trim().split('\n')
      expect(acknowledged.length).toBeGreaterThan(ROUNDS * 5)
      expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
      if (LONG)
        console.log(
          `${acknowledged.length} acknowledged, ${ids.size} in the log, ${textsIn(join(folder, 'archive')).length} segments`,
        )
    },
  )
})

it('a log, or a file of checkpoints, whose end was torn off by a crash is incomplete, never tampered with', async () => {
  const file = join(folderOf(), 'checkpoints.ndjson')
  const audit = createAuditLog({
    store: memoryAudit(),
    key: KEY,
    signingKey: privateKey,
    onCheckpoint: fileSink(file),
    node: 'node',
    mode: 'strict',
    clock: Date.now,
    ids: randomUUID,
  })
  await audit.start()
  await audit.close()
  let log = ''
  for await (const piece of await audit.export({})) log += piece
  const kept = readFileSync(file, 'utf8')
  expect(verifyAuditLog(log, { key: KEY, checkpoints: kept, publicKey })).toMatchObject({
    verdict: 'ok',
    uncovered: [],
  })
  for (const [text, verify] of [
    [log, (torn: Uint8Array) => verifyAuditLog(torn, { key: KEY })],
    [kept, (torn: Uint8Array) => verifyAuditLog(log, { key: KEY, checkpoints: torn, publicKey })],
  ] as const) {
    const bytes = Buffer.from(text)
    const lineAt = text.lastIndexOf('\n', text.length - 2) + 1
    for (let length = lineAt + 1; length < bytes.length - 1; length += 1) {
      const { verdict, code } = verify(bytes.subarray(0, length))
      expect({ length, verdict, code }).toEqual({ length, verdict: 'incomplete', code: 4 })
    }
  }
})
