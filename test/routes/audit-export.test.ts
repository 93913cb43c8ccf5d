import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { ByteSink, GatewayRequest } from '@hoosh/core'
import { type AuditDetails, auditKey, verifyAuditLog } from '@hoosh/core/audit'
import { fakeClock } from '@hoosh/core/testing'
import { describe, expect, it, vi } from 'vitest'
import { python, pythonVerdicts } from '../core/audit/python.js'
import { deferred } from '../support/deferred.js'
import { chat, type Door, door, errorOf } from '../support/door.js'

const { privateKey: signingKey } = generateKeyPairSync('ed25519')
const publicKey = createPublicKey(signingKey)
const key = 'the key of this test'
const admin = { as: 'admin' } as const
const exportRequest: GatewayRequest = {
  method: 'GET',
  path: '/v1/audit/export',
  query: new URLSearchParams(),
  header: () => undefined,
  body: { bytes: async () => new Uint8Array() },
  signal: new AbortController().signal,
  identify: async () => ({ user: 'root', roles: ['admin'] }),
}

type Line = { event: string; id: string; model?: string; subject?: string; integrity: { seq: number; writer: string } }
const linesOf = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
const taken = async (to: Door, query = '') => (await to.get(`/v1/audit/export${query}`, admin)).text
const keptOf = async (to: Door, query = '') => (await to.get(`/v1/audit/checkpoints${query}`, admin)).text

const filled = async (calls: number, audit: object = {}) => {
  const to = await door({ audit: { key, signingKey, checkpointEvery: { entries: 4 }, ...audit } })
  for (let call = 0; call < calls; call += 1) await chat(to, call % 2 === 0 ? 'demo' : 'demo-2')
  return to
}

describe('GET /v1/audit/export', () => {
  it('is the log, line by line, as it verifies elsewhere; that it was taken is in it', async () => {
    const to = await filled(10)
    const reply = await to.get('/v1/audit/export', admin)
    expect(reply.headers.get('content-type')).toBe('application/x-ndjson')
    expect(reply.headers.get('cache-control')).toBe('no-store')
    expect(linesOf(reply.text).map(({ event }) => event)).toEqual([
      'audit.boot',
      ...Array.from({ length: 10 }, () => ['inference.request', 'inference.response']).flat(),
      'admin.audit_exported',
    ])
    const checkpoints = await keptOf(to)
    const verdict = verifyAuditLog(reply.text, { checkpoints, publicKey, key })
    expect(verdict).toMatchObject({ code: 0, verdict: 'ok', firstBad: null, tags: 'checked', entries: 22 })
    expect(verdict.uncovered[0]!.entries).toBeLessThanOrEqual(4)
    expect(verifyAuditLog(reply.text, { key: 'another' })).toMatchObject({ code: 1, firstBad: { line: 1, seq: 1 } })
  })

  it('between two moments is whole between checkpoints, so that it verifies too', async () => {
    const clock = fakeClock()
    const to = await door({ clock: clock.now, audit: { key, signingKey, checkpointEvery: { entries: 4 } } })
    const times: number[] = []
    for (let call = 0; call < 12; call += 1) {
      await chat(to, 'demo')
      // Whoever reads the log waits until it is linked.
      await to.get('/v1/audit?limit=1', admin)
      times.push(clock.now())
      clock.advance(1_000)
    }
    const part = await taken(to, `?from=${times[5]}&to=${times[7]}`)
    const [first, ...entries] = part.split('\n').slice(0, -1)
    expect(JSON.parse(first!)).toMatchObject({ anchor: { writer: expect.any(String) } })
    const stamps = entries.map((line) => (JSON.parse(line) as { timestamp: number }).timestamp)
    expect(stamps[0]).toBeLessThanOrEqual(times[5]!)
    expect(stamps.filter((at) => at >= times[5]! && at <= times[7]!)).toHaveLength(6)
    expect(entries.length).toBeLessThan(16)
    const upTo = JSON.parse(entries.at(-1)!).integrity.seq as number
    const checkpoints = (await keptOf(to)).split('\n').filter((line) => line !== '' && JSON.parse(line).seq <= upTo)
    expect(verifyAuditLog(part, { checkpoints, publicKey, key })).toMatchObject({ code: 0, tags: 'checked' })
  })

  it('by event, user or model is an extract, and by writer one chain', async () => {
    const to = await filled(4)
    const models = linesOf(await taken(to, '?model=demo-2&event=inference.request'))
    expect(models.map(({ model }) => model)).toEqual(['demo-2', 'demo-2'])
    expect(linesOf(await taken(to, '?subject=bob'))).toEqual([])
    const [{ integrity }] = linesOf(await taken(to)) as [Line]
    expect(linesOf(await taken(to, `?writer=${encodeURIComponent(integrity.writer)}`)).length).toBeGreaterThan(9)
    expect(await taken(to, '?writer=nobody')).toBe('')
  })

  it('of a log whose oldest entries were dropped begins where a checkpoint vouches for it', async () => {
    const to = await filled(30, { maxEntries: 20 })
    const text = await taken(to)
    expect(JSON.parse(text.split('\n')[0]!)).toHaveProperty('anchor')
    const verdict = verifyAuditLog(text, { checkpoints: await keptOf(to), publicKey, key })
    expect(verdict).toMatchObject({ code: 0, verdict: 'ok', tags: 'checked' })
    expect(verifyAuditLog(text, { key })).toMatchObject({ code: 2, verdict: 'truncated' })
  })

  it('is read no faster than the client takes it, and no further where he has gone', async () => {
    const to = await door({ audit: { key } })
    const me = to.gateway.as({ user: 'alice' })
    await Promise.all(Array.from({ length: 3_000 }, () => me.audit.record('mine')))
    const reply = await to.gateway.handle(exportRequest)
    const written: (string | Uint8Array)[] = []
    const gates = [deferred(), deferred(), deferred()]
    const sink = { closed: false, write: (chunk: string | Uint8Array) => gates[written.push(chunk) - 1]!.promise }
    const sending = (reply.body as (sink: ByteSink) => Promise<void>)(sink)
    for (const [index, gate] of gates.slice(0, 2).entries()) {
      await vi.waitFor(() => expect(written).toHaveLength(index + 1))
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      expect(written).toHaveLength(index + 1)
      gate.resolve()
    }
    await vi.waitFor(() => expect(written).toHaveLength(3))
    sink.closed = true
    gates[2]!.resolve()
    await sending
    expect(written).toHaveLength(3)
  })

  it('verifies whatever a host records: details of 32 levels are in it, deeper ones are refused by name', async () => {
    const to = await door({ audit: { key } })
    const me = to.gateway.as({ user: 'alice' })
    const nested = (levels: number): object => (levels === 1 ? {} : { a: nested(levels - 1) })
    const lists = (levels: number): unknown[] => (levels === 1 ? [] : [lists(levels - 1)])
    await me.audit.record('deep.objects', nested(32) as AuditDetails)
    await me.audit.record('deep.lists', { a: lists(31) } as AuditDetails)
    for (const details of [nested(33), nested(100), { a: lists(32) }, { a: lists(100) }])
      await expect(me.audit.record('too.deep', details as AuditDetails)).rejects.toMatchObject({
        code: 'invalid_audit_details',
        message: expect.stringContaining('deeper than 32 levels'),
        details: { param: expect.stringMatching(/^metadata\.a/) },
      })
    const text = await taken(to)
    expect(linesOf(text).filter(({ event }) => event.includes('deep'))).toHaveLength(2)
    const whole = { code: 0, tags: 'checked', entries: 4 }
    expect(verifyAuditLog(text, { key })).toMatchObject(whole)
    const { publicKey: pem } = auditKey.signing()
    const asked = { logs: [Buffer.from(text)], checkpoints: [], publicKey: pem, key, requireTags: true }
    if (python !== null) expect(await pythonVerdicts([asked])).toMatchObject([whole])
  })

  it('is for admins, takes no filter it does not know how to read, and is 404 where the log is off', async () => {
    const to = await filled(0)
    expect(await to.get('/v1/audit/export')).toMatchObject({ status: 403 })
    const reply = await to.get('/v1/audit/export?from=yesterday', admin)
    expect([reply.status, errorOf(reply).param]).toEqual([400, 'from'])
    const off = await door({ audit: false })
    for (const path of ['export', 'checkpoints', 'verify'])
      expect((await off.get(`/v1/audit/${path}`, admin)).status).toBe(404)
  })
})

describe('GET /v1/audit/checkpoints', () => {
  it('has the lines that were handed to the host, none where nothing is signed', async () => {
    const handed: string[] = []
    const to = await filled(10, { onCheckpoint: (line: string) => void handed.push(line) })
    await vi.waitFor(async () => expect(handed.map((line) => `${line}\n`).join('')).toBe(await keptOf(to)))
    expect(handed.length).toBeGreaterThan(1)
    expect(await keptOf(to, '?writer=nobody')).toBe('')
    expect(await keptOf(await door())).toBe('')
  })
})

describe('GET /v1/audit/verify', () => {
  it('says what was verified, and which entries no checkpoint covers yet', async () => {
    const to = await filled(5)
    await taken(to)
    const { body } = await to.get('/v1/audit/verify', admin)
    const [[writer, through]] = Object.entries((body as { verified_through: object }).verified_through) as [
      [string, number],
    ]
    expect(body).toMatchObject({ valid: true, complete: true, first_bad: null, signed: true })
    const { checkpoints, uncovered } = body as {
      checkpoints: Record<string, { seq: number }>
      uncovered: { writer: string; after: number; through: number; entries: number }[]
    }
    const covered = checkpoints[writer]!.seq
    expect(through - covered).toBeLessThanOrEqual(4)
    expect(uncovered).toMatchObject(
      through === covered ? [] : [{ writer, after: covered, through, entries: through - covered }],
    )
  })
})
