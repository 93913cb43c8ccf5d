import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HooshOptions } from '@hoosh/core'
import { payloadHash } from '@hoosh/core/audit'
import { memoryPayloads, type PayloadStore } from '@hoosh/core/storage'
import { describe, expect, it, onTestFinished } from 'vitest'
import { PYTHON_VERIFIER, python } from '../core/audit/python.js'
import { chat, chatOf, type Door, door, errorOf, upstream } from '../support/door.js'
import { sqliteFile } from '../support/sqlite.js'

const KEY = 'k'.repeat(32)
const ON = { audit: { payloads: { key: KEY } } }
const admin = { as: 'admin' } as const

/** A gateway that keeps payloads, before a provider. */
async function kept(options: HooshOptions = {}) {
  const provider = await upstream()
  const providers = [{ type: 'openai' as const, baseUrl: provider.url, apiKey: 'sk-test' }]
  return { provider, to: await door({ providers, ...ON, ...options }) }
}

interface Entry {
  readonly id: string
  readonly event: string
  readonly metadata: Record<string, unknown>
}

async function entries(to: Door, query = 'limit=1000'): Promise<Entry[]> {
  return ((await to.get(`/v1/audit?${query}`, admin)).body as { entries: Entry[] }).entries
}

interface Payload {
  readonly status: string
  readonly content: string
  readonly salt: string
  readonly hash: string
  readonly size: number
  readonly matches: boolean
  readonly entry: Entry
}

async function payload(to: Door, { id }: { id: string }): Promise<Payload> {
  const reply = await to.get(`/v1/audit/${id}/payload`, admin)
  expect(reply.status, reply.text).toBe(200)
  return reply.body as Payload
}

/** What the newest call asked and was answered, as an auditor checks it. */
async function lastCall(to: Door) {
  const all = await entries(to)
  const last = (event: string) => all.findLast((entry) => entry.event === event)!
  const [asked, answered] = [last('inference.request'), last('inference.response')]
  const [request, answer] = [await payload(to, asked), await payload(to, answered)]
  for (const [entry, read] of [
    [asked, request],
    [answered, answer],
  ] as const) {
    expect(read).toMatchObject({ status: 'kept', matches: true, entry: { id: entry.id } })
    expect(payloadHash(read.salt, read.content)).toBe(entry.metadata.payload_hash)
    expect(JSON.stringify(entry)).not.toContain('sea')
  }
  return { request, answer, asked, answered }
}

describe('payloads', () => {
  it('are not kept unless the host says so', async () => {
    const { to } = await kept({ audit: {} })
    await chat(to, 'm')
    const [asked] = await entries(to, 'event=inference.request')
    expect(asked!.metadata).toEqual({ kind: 'chat', stream: false })
    expect((await to.get(`/v1/audit/${asked!.id}/payload`, admin)).status).toBe(404)
  })

  it('are what was asked and answered, byte by byte', async () => {
    const { to, provider } = await kept()
    provider.script({ text: 'The sea is wide.' })
    const body = JSON.stringify(chatOf('m'))
    await to.send('POST', '/v1/chat/completions', { body })
    const { request, answer } = await lastCall(to)
    expect(request.content).toBe(body)
    expect(JSON.parse(answer.content)).toMatchObject({ choices: [{ message: { content: 'The sea is wide.' } }] })
  })

  it('of a stream are its events, whole', async () => {
    const { to, provider } = await kept()
    provider.script({ text: 'The sea is wide and deep and blue.' })
    await chat(to, 'm', { stream: true })
    const { answer } = await lastCall(to)
    const said = answer.content
      .split('\n\n')
      .filter((event) => event !== '')
      .map((event) => JSON.parse(event.slice('data: '.length)).choices[0]?.delta.content ?? '')
    expect(said.join('')).toBe('The sea is wide and deep and blue.')
  })

  it('of embeddings and of calls in process are kept too', async () => {
    const { to } = await kept()
    await to.post('/v1/embeddings', { model: 'm', input: 'the sea' })
    const { request, answer } = await lastCall(to)
    expect(JSON.parse(request.content)).toMatchObject({ input: 'the sea' })
    expect(JSON.parse(answer.content)).toMatchObject({ object: 'list' })
    await to.gateway.as({ user: 'carol', pool: 'user:carol' }).chat(chatOf('other'))
    expect(JSON.parse((await lastCall(to)).request.content)).toMatchObject({ model: 'other' })
  })

  it('that are too long are cut, and the entry says so', async () => {
    const { to } = await kept({ audit: { payloads: { key: KEY, maxBytes: 64 } } })
    await chat(to, 'm', { stream: true, user: 'x'.repeat(200) })
    const { request, answer, asked, answered } = await lastCall(to)
    expect(asked.metadata).toMatchObject({ payload_bytes: request.size, payload_kept: 64 })
    expect(answered.metadata).toMatchObject({ payload_bytes: answer.size, payload_kept: 64 })
    expect([request.content.length, answer.content.length]).toEqual([64, 64])
  })

  it.each([false, true])(
    'hold what went up: no value that DLP took out, put back or not (stream: %s)',
    async (stream) => {
      const { to, provider } = await kept({
        dlp: {
          builtIn: { email: { action: 'pseudonymise' }, credit_card: { action: 'redact' } },
          answers: true,
        },
      })
      provider.script({ text: 'Dear [EMAIL-1], about the sea: 5555 5555 5555 4444.' })
      const content = 'Write to ada@example.org about the sea and 4111 1111 1111 1111.'
      const reply = await chat(to, 'm', { stream, messages: [{ role: 'user', content }] })
      expect(reply.text).toContain('ada@')
      const { request, answer } = await lastCall(to)
      for (const value of ['ada@', '4111 1111', '5555 5555'])
        expect(request.content + answer.content).not.toContain(value)
      expect(request.content).toContain('[EMAIL-1]')
      expect(answer.content).toContain('[EMAIL-1]')
      expect(JSON.stringify(await entries(to))).not.toMatch(/ada@|4111 1111|5555 5555/)
    },
  )

  it('of a call that was refused for its budget are not kept', async () => {
    const store = memoryPayloads()
    const put: string[] = []
    const noted: PayloadStore['put'] = (one) => {
      put.push(one.id)
      return store.put(one)
    }
    const { to } = await kept({
      pools: { 'user:*': { tokens: 1 } },
      storage: { payloads: { ...store, put: noted } },
    })
    expect(errorOf(await chat(to, 'm')).code).toBe('budget_exceeded')
    expect(put).toHaveLength(1)
    for (const id of put) expect(await store.get(id)).toBeNull()
  })

  it('that cannot be kept stop a call before it is sent, and an answer from nothing: its entry says it is lost', async () => {
    let isFull = true
    const store = memoryPayloads()
    const full: PayloadStore['put'] = (one) => {
      if (isFull) throw new Error('no space left on device')
      return store.put(one)
    }
    const { to, provider } = await kept({ storage: { payloads: { ...store, put: full } } })
    expect((await chat(to, 'm')).status).toBeGreaterThanOrEqual(500)
    expect(provider.bill.attempts).toBe(0)
    expect(((await to.get('/v1/tokens/pools')).body as { reserved: number }[]).map(({ reserved }) => reserved)).toEqual(
      [0],
    )
    isFull = false
    provider.hold()
    const running = chat(to, 'm')
    await provider.received(1)
    isFull = true
    provider.release()
    expect((await running).status).toBe(200)
    const [answered] = await entries(to, 'event=inference.response')
    expect(answered!.metadata).toMatchObject({ payload_lost: true })
    expect(answered!.metadata).not.toHaveProperty('payload_hash')
  })

  it('are read by admins alone, and each reading is recorded', async () => {
    const { to } = await kept()
    await chat(to, 'm')
    const [asked] = await entries(to, 'event=inference.request')
    for (const as of ['alice', 'bob'] as const)
      expect((await to.get(`/v1/audit/${asked!.id}/payload`, { as })).status).toBe(403)
    await payload(to, asked!)
    const [read] = await entries(to, 'event=admin.payload_read')
    expect(read).toMatchObject({ subject: 'root', metadata: { entry: asked!.id, status: 'kept' } })
    expect((await to.get('/v1/audit/none/payload', admin)).status).toBe(404)
  })
})

describe.skipIf(python === null)('the verifier in Python', () => {
  it('tells a payload that is what its entry says from one that was changed', async () => {
    const { to } = await kept()
    await chat(to, 'm')
    const [answered] = await entries(to, 'event=inference.response')
    const told = await payload(to, answered!)
    const folder = mkdtempSync(join(tmpdir(), 'hoosh-payload-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'log'), (await to.get('/v1/audit/export', admin)).text)
    for (const [content, code, verdict] of [
      [told.content, 0, 'ok'],
      [`${told.content} `, 1, 'changed'],
    ]) {
      writeFileSync(join(folder, 'payload'), JSON.stringify({ ...told, content }))
      const ran = spawnSync(python!, [PYTHON_VERIFIER, join(folder, 'log'), '--payload', join(folder, 'payload')])
      expect([ran.status, JSON.parse(String(ran.stdout))]).toMatchObject([code, { verdict: 'ok', payload: verdict }])
    }
  })
})

describe('an erased user', () => {
  it('leaves a log that is whole and says so, and payloads that nobody can read', async () => {
    const sqlite = sqliteFile()
    onTestFinished(() => sqlite.remove())
    const { to } = await kept({ storage: await sqlite.open() })
    await chat(to, 'm')
    await chat(to, 'm', {}, { as: 'bob' })
    const before = (await entries(to)).filter(({ event }) => event.startsWith('inference.'))
    const reply = await to.send('DELETE', '/v1/audit/subjects/alice', admin)
    expect(reply.body).toMatchObject({ user: 'alice', erased: true })
    const [erasure] = await entries(to, 'event=admin.erasure')
    const { subject_hash } = reply.body as { subject_hash: string }
    expect(erasure).toMatchObject({ subject: 'root', metadata: { subject_hash } })
    expect(JSON.stringify(erasure)).not.toContain('alice')
    const states = await Promise.all(before.map(async (entry) => (await payload(to, entry)).status))
    expect(states).toEqual(['erased', 'erased', 'kept', 'kept'])
    expect((await to.get('/v1/audit/verify', admin)).body).toMatchObject({ valid: true })
    await chat(to, 'm')
    expect((await lastCall(to)).request.status).toBe('kept')
    expect((await to.send('DELETE', '/v1/audit/subjects/nobody', admin)).body).toMatchObject({ erased: false })
  })

  it('can be erased although payloads are not kept any more', async () => {
    const store = memoryPayloads()
    const first = await kept({ storage: { payloads: store } })
    await chat(first.to, 'm')
    const { to } = await kept({ audit: {}, storage: { payloads: store } })
    expect((await to.send('DELETE', '/v1/audit/subjects/alice', admin)).body).toMatchObject({ erased: true })
    const [asked] = await entries(first.to, 'event=inference.request')
    expect((await payload(first.to, asked!)).status).toBe('erased')
  })
})

describe('the key of payloads', () => {
  it.each([
    [{ key: 'short' }, 'audit.payloads.key has fewer than 32 characters'],
    [{ key: KEY, otherKeys: ['short'] }, 'audit.payloads.otherKeys[0] has fewer than 32 characters'],
    [{ key: '$HOOSH_TEST_NOT_SET' }, 'HOOSH_TEST_NOT_SET'],
  ])('has to be there, and long enough: %o', async (payloads, message) => {
    const { to } = await kept({ audit: { payloads } })
    await expect(to.gateway.ready()).rejects.toThrow(message)
  })
})
