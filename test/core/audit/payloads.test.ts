import { payloadStoreCases } from '@hoosh/core/conformance'
import { memoryPayloads, type PayloadStore } from '@hoosh/core/storage'
import { describe, expect, it } from 'vitest'
import { payloadHash } from '../../../packages/core/src/audit/payload-seal.js'
import { createPayloadVault, type VaultOptions } from '../../../packages/core/src/audit/payload-vault.js'
import type { AuditRecord } from '../../../packages/core/src/audit/store.js'

describe('the memory store keeps the promises of PayloadStore', () => {
  it.each(payloadStoreCases)('$name', async ({ run }) => {
    const store = memoryPayloads()
    await run({ open: () => store })
  })

  it('keeps the newest of so many bytes', async () => {
    const store = memoryPayloads({ maxBytes: 250 })
    const key = { subject: 's', id: 'k', wrappedBy: 'w', wrapped: new Uint8Array() }
    await store.addKey(key)
    for (const id of ['a', 'b', 'c'])
      await store.put({ id, subject: 's', key: 'k', at: 1, sealed: new Uint8Array(100) })
    expect([await store.get('a'), (await store.get('b'))?.payload.id]).toEqual([null, 'b'])
  })
})

const OLD = 'old'.repeat(16)
const NEW = 'new'.repeat(16)

const told: object[] = []
let ids = 0
let now = 1_000_000
function vaultOn(store: PayloadStore, options: Partial<VaultOptions> = {}) {
  const logger = { debug() {}, info: (details: object) => void told.push(details), warn() {}, error() {} }
  const defaults = { key: OLD, otherKeys: [], maxBytes: 1_000, keepMs: 10_000, ids: () => `key-${ids++}` }
  return createPayloadVault({ store, clock: () => now, logger, ...defaults, ...options })
}

const record = (id: string, subject = 'ann'): AuditRecord => {
  return { id, subject, timestamp: now, event: 'e', level: 'info', message: 'm' }
}

describe('the vault', () => {
  it('tells the hash of what it keeps, which salt and text give again', async () => {
    const vault = vaultOn(memoryPayloads())
    const payload = vault.prepare(Buffer.from('Where is Ada?'))
    await vault.keep(record('a'), payload)
    const read = await vault.read('a')
    if (read?.status !== 'kept') throw new TypeError('it was kept')
    expect(read.bytes.toString()).toBe('Where is Ada?')
    expect(payload.details).toEqual({ payload_bytes: 13, payload_hash: payloadHash(read.salt, 'Where is Ada?') })
    expect(vault.prepare(Buffer.from('Where is Ada?')).details).not.toEqual(payload.details)
  })

  it('stores neither text nor user nor key', async () => {
    const kept: object[] = []
    const inner = memoryPayloads()
    const noted = <Item extends object>(item: Item) => {
      kept.push(item)
      return item
    }
    const vault = vaultOn({
      ...inner,
      put: (payload) => inner.put(noted(payload)),
      addKey: (key) => inner.addKey(noted(key)),
    })
    await vault.keep(record('a', 'ada@example.org'), vault.prepare(Buffer.from('a secret text')))
    expect(kept).toHaveLength(2)
    const bytes = (value: unknown) =>
      typeof value === 'string' ? value : Buffer.from(value as Uint8Array).toString('latin1')
    const text = kept
      .flatMap((item) => Object.values(item).map((value) => (typeof value === 'number' ? '' : bytes(value))))
      .join()
    for (const secret of ['ada', 'secret', OLD]) expect(text).not.toContain(secret)
  })

  it('cuts what is too long between two characters, and says how long it was', async () => {
    const vault = vaultOn(memoryPayloads(), { maxBytes: 10 })
    for (const [text, kept] of [
      ['0123456789', '0123456789'],
      ['0123456789a', '0123456789'],
      ['01234567€9', '01234567'],
      ['0123456\u{1f600}', '0123456'],
    ] as const) {
      const bytes = Buffer.from(text)
      const { details, bytes: cut } = vault.prepare(bytes)
      expect(cut.toString()).toBe(kept)
      expect(details).toMatchObject({ payload_bytes: bytes.length })
      expect(details.payload_kept).toBe(kept.length === bytes.length ? undefined : kept.length)
    }
  })

  it('forgets a user whose key is destroyed, by whichever process, and begins anew with another key', async () => {
    const store = memoryPayloads()
    const [left, right] = [vaultOn(store), vaultOn(store)]
    await left.keep(record('a'), left.prepare(Buffer.from('before')))
    await left.keep(record('b', 'bob'), left.prepare(Buffer.from('of another')))
    expect([await right.erase('ann'), await right.erase('ann')]).toEqual([true, false])
    await left.keep(record('c'), left.prepare(Buffer.from('after')))
    expect(await left.read('a')).toEqual({ status: 'erased', at: now })
    expect(await right.read('c')).toMatchObject({ status: 'kept', bytes: Buffer.from('after') })
    expect(await right.read('b')).toMatchObject({ status: 'kept' })
  })

  it('opens nothing that was changed, or moved to another entry or user', async () => {
    const inner = memoryPayloads()
    const vault = vaultOn(inner)
    await vault.keep(record('a'), vault.prepare(Buffer.from('text')))
    const { payload } = (await inner.get('a'))!
    const sealed = Uint8Array.from(payload.sealed)
    sealed[20]! ^= 1
    await inner.put({ ...payload, id: 'flipped', sealed })
    await inner.put({ ...payload, id: 'moved' })
    for (const id of ['flipped', 'moved']) expect(await vault.read(id)).toEqual({ status: 'damaged', at: now })
  })

  it('wraps all keys anew under another configured key, after which the old one opens nothing', async () => {
    const store = memoryPayloads()
    const users = Array.from({ length: 520 }, (_, at) => `user-${at}`)
    const before = vaultOn(store)
    for (const user of users) await before.keep(record(user, user), before.prepare(Buffer.from(user)))
    await expect(vaultOn(store, { key: NEW }).start()).rejects.toMatchObject({ code: 'invalid_options' })
    const during = vaultOn(store, { key: NEW, otherKeys: [OLD] })
    await during.start()
    await during.tend()
    expect(told.at(-1)).toEqual({ keys: 520, all: true })
    const after = vaultOn(store, { key: NEW })
    await after.start()
    for (const user of users.slice(-9)) expect(await after.read(user)).toMatchObject({ bytes: Buffer.from(user) })
    await expect(vaultOn(store).read('user-7')).rejects.toMatchObject({ code: 'invalid_options' })
  })

  it('drops what is too old', async () => {
    const vault = vaultOn(memoryPayloads())
    await vault.keep(record('a'), vault.prepare(Buffer.from('old')))
    now += 10_001
    await vault.keep(record('b'), vault.prepare(Buffer.from('new')))
    await vault.tend()
    expect([await vault.read('a'), (await vault.read('b'))?.status]).toEqual([null, 'kept'])
  })
})
