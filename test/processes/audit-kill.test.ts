import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { verifyAuditLog } from '@hoosh/core/audit'
import { expect, it, onTestFinished } from 'vitest'
import { child, killed } from '../support/children.js'
import { randomFrom } from '../support/random.js'

const ROUNDS = process.env.HOOSH_LONG === '1' ? 100 : 3
const SEED = Number(process.env.HOOSH_SEED ?? Date.now() % 1_000_000_000)
const script = new URL('./audit-child.mjs', import.meta.url)

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

const textsIn = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.ndjson'))
        .sort()
        .map((name) => readFileSync(join(folder, name), 'utf8'))
    : []

it(`kill -9 while a log is written, signed and archived, ${ROUNDS} times from HOOSH_SEED=${SEED}: what was acknowledged is there, and verifies`, {
  timeout: 1_800_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-audit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { between } = randomFrom(SEED)
  const began = String(Date.now())
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = await child(script, [folder, pem, began, 'write'])
    // At any moment: in the middle of an append, a checkpoint, a segment.
    await pause(between(20, 700))
    await killed(started.process)
  }
  const last = await child(script, [folder, pem, began, 'read'])
  onTestFinished(() => killed(last.process))
  const { log, checkpoints, kept, valid } = JSON.parse(last.line) as {
    log: string
    checkpoints: string
    kept: string
    valid: boolean
  }
  expect(valid).toBe(true)
  const text = textsIn(join(folder, 'archive')).join('') + log
  for (const lines of [checkpoints, kept]) {
    const verdict = verifyAuditLog(text, { checkpoints: lines, publicKey, key: 'a key of this test alone' })
    expect(verdict).toMatchObject({ firstBad: null, verdict: 'ok', tags: 'checked' })
  }
  const ids = new Set(
    text.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { id?: string }).id])),
  )
  const acknowledged = readFileSync(join(folder, 'acknowledged'), 'utf8').trim().split('\n')
  expect(acknowledged.length).toBeGreaterThan(ROUNDS * 5)
  expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
  expect(textsIn(join(folder, 'archive')).length).toBeGreaterThan(0)
})

it('a log whose end was torn off by a crash is incomplete, never tampered with', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-audit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const last = await child(script, [folder, pem, String(Date.now()), 'read'])
  onTestFinished(() => killed(last.process))
  const { log } = JSON.parse(last.line) as { log: string }
  const bytes = Buffer.from(log)
  const lineAt = log.lastIndexOf('\n', log.length - 2) + 1
  for (let length = lineAt + 1; length < bytes.length - 1; length += 1) {
    const { verdict } = verifyAuditLog(bytes.subarray(0, length), { key: 'a key of this test alone' })
    expect({ length, verdict }).toEqual({ length, verdict: 'incomplete' })
  }
})
