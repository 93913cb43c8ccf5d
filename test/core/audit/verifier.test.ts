import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createChecks } from '../../../packages/core/src/audit/checks.js'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditRecord, AuditStore, StoredEntry, WriterHead } from '../../../packages/core/src/audit/store.js'
import { answered, changed, edited, linkInto, logOn, NOW, recordOf } from './support.js'
import { boot, filled, verifierOf, WRITER } from './verifying.js'

/** What a verifier that starts now finds, and what one finds that had seen the log whole. */
async function verdicts(store: AuditStore, tampered: AuditStore, key: string | undefined) {
  const fresh = verifierOf(tampered, key)
  await fresh.scrub()
  let current = store
  const switching: AuditStore = { ...store, heads: () => current.heads(), chain: (...asked) => current.chain(...asked) }
  const running = verifierOf(switching, key)
  await running.scrub()
  expect(running.state().valid).toBe(true)
  current = tampered
  await running.scrub()
  return { fresh: fresh.state().firstBad, running: running.state().firstBad }
}

type Leaf = { path: string[]; value: unknown }

function leavesOf(value: unknown, path: string[] = []): Leaf[] {
  if (typeof value !== 'object' || value === null) return [{ path, value }]
  return Object.entries(value).flatMap(([key, part]) => leavesOf(part, [...path, key]))
}

function withLeaf(entry: StoredEntry, path: readonly string[], value: unknown): StoredEntry {
  const copy = structuredClone(entry)
  let at = copy as unknown as Record<string, unknown>
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>
  if (value === undefined) delete at[path.at(-1)!]
  else at[path.at(-1)!] = value
  return copy
}

/** Every way to change one leaf: each character of a text, a number's value and its type, its absence. */
function changesOf({ path, value }: Leaf): unknown[] {
  const gone = path[0] === 'body' ? [] : [undefined]
  if (typeof value === 'string') {
    const flip = (at: number) =>
      value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ 1) + value.slice(at + 1)
    return [...gone, ...Array.from(value, (_, at) => flip(at)), `${value}x`, value.slice(0, -1)].filter(
      (one) => one !== value,
    )
  }
  if (typeof value === 'number') return [...gone, value + 1, String(value), null]
  return [...gone, value === null ? 0 : !value]
}

const entriesOf = async (store: AuditStore, writer: string) => [...(await store.chain(writer, 0, 1_000))]

describe('a changed entry is found', () => {
  it.each([['secret'], [undefined]])(
    'whatever character of record, text or integrity changed (key: %s)',
    async (key) => {
      const store = filled(key)
      let tried = 0
      for (const entry of (await entriesOf(store, WRITER)).slice(0, 3)) {
        const { cursor: _, ...parts } = entry
        for (const leaf of leavesOf(parts)) {
          for (const value of changesOf(leaf)) {
            const forged = withLeaf(entry, leaf.path, value)
            const swap = (entries: StoredEntry[], writer: string) =>
              writer === WRITER ? entries.map((one) => (one.record.id === entry.record.id ? forged : one)) : entries
            const verifier = verifierOf(edited(store, swap), key)
            await verifier.follow()
            const { firstBad } = verifier.state()
            expect(firstBad, `${leaf.path.join('.')} = ${String(value)}`).toMatchObject({
              writer: WRITER,
              seq: entry.integrity!.seq,
            })
            tried += 1
          }
        }
      }
      expect(tried).toBeGreaterThan(1_500)
    },
  )

  it('a field is added that the text does not show', async () => {
    const store = filled('secret')
    const add = (entries: StoredEntry[]) =>
      entries.map((one) =>
        one.integrity!.seq === 2 ? { ...one, record: { ...one.record, approved: true } as AuditRecord } : one,
      )
    const found = await verdicts(store, edited(store, add), 'secret')
    expect(found).toMatchObject({ fresh: { seq: 2 }, running: { seq: 2 } })
  })

  it('a row that the store itself cannot read is named', async () => {
    const store = filled('secret')
    const break3 = (entries: StoredEntry[]) =>
      entries.map((one) => (one.integrity!.seq === 3 ? { ...one, damaged: 'bad JSON' } : one))
    const found = await verdicts(store, edited(store, break3), 'secret')
    expect(found.fresh).toMatchObject({ seq: 3, reason: expect.stringContaining('bad JSON') })
    expect(found.running).toMatchObject({ seq: 3 })
  })
})

describe('a changed chain is found, by a verifier that starts and by one that runs', () => {
  const of1 = (edit: (entries: StoredEntry[]) => StoredEntry[]) => (entries: StoredEntry[], writer: string) =>
    writer === WRITER ? edit(entries) : entries
  const renumbered = (entry: StoredEntry, seq: number) => ({ ...entry, integrity: { ...entry.integrity!, seq } })
  it.each<[string, number, (entries: StoredEntry[]) => StoredEntry[]]>([
    ['the first is deleted', 1, (all) => all.slice(1)],
    ['one in the middle is deleted', 3, (all) => all.toSpliced(2, 1)],
    ['the last is deleted', 6, (all) => all.slice(0, -1)],
    ['all are deleted', 1, () => []],
    ['two are swapped', 3, (all) => [all[0]!, all[1]!, all[3]!, all[2]!, ...all.slice(4)]],
    [
      'two are swapped and numbered anew',
      3,
      (all) => [...all.slice(0, 2), renumbered(all[3]!, 3), renumbered(all[2]!, 4), ...all.slice(4)],
    ],
    ['one stands there twice', 3, (all) => all.toSpliced(2, 0, all[1]!)],
    ['one stands there twice, numbered anew', 3, (all) => all.toSpliced(2, 1, renumbered(all[1]!, 3))],
    ['one is added after the head', 7, (all) => [...all, renumbered(all[5]!, 7)]],
    ['the end is replaced by an older part', 4, (all) => [...all.slice(0, 3), ...all.slice(0, 3)]],
  ])('%s', async (_, seq, edit) => {
    const store = filled('secret')
    const { fresh, running } = await verdicts(store, edited(store, of1(edit)), 'secret')
    expect(fresh).toMatchObject({ writer: WRITER, seq })
    expect(running).toMatchObject({ writer: WRITER, seq })
  })

  it("another writer's entry is played back in its place", async () => {
    const store = filled('secret')
    const [foreign] = await entriesOf(store, 'n/2')
    const edit = of1((all) => [foreign!, ...all.slice(1)])
    expect(await verdicts(store, edited(store, edit), 'secret')).toMatchObject({
      fresh: { seq: 1 },
      running: { seq: 1 },
    })
  })

  it('everything is written anew with another key', async () => {
    expect(await verdicts(filled('secret'), filled('stolen'), 'secret')).toMatchObject({
      fresh: { seq: 1 },
      running: { seq: 1 },
    })
  })

  it.each(['secret', undefined])('tags are taken off, or put on (key: %s)', async (key) => {
    const store = filled('secret')
    const strip = (all: StoredEntry[]) =>
      all.map((one) => ({ ...one, integrity: { ...one.integrity!, signature: '' } }))
    const some = of1((all) => [...all.slice(0, 3), ...strip(all.slice(3))])
    expect((await verdicts(store, edited(store, some), key)).fresh).toMatchObject({ seq: 4 })
    const { fresh, running } = await verdicts(store, edited(store, strip), key)
    expect(fresh).toMatchObject({ seq: 1 })
    expect(running).toMatchObject({ seq: 1 })
  })

  it('an unsigned chain that was written anew from some entry on is found by whoever saw the old one', async () => {
    const forged = memoryAudit()
    linkInto(forged, WRITER, undefined, [boot('b1', false), ...['a', 'B', 'c', 'd'].map(answered), recordOf('s')])
    linkInto(forged, 'n/2', undefined, [boot('b2', false), answered('other')])
    const { fresh, running } = await verdicts(filled(undefined), forged, undefined)
    expect(fresh).toBeUndefined()
    expect(running).toMatchObject({ writer: WRITER })
  })

  it.each<[string, (heads: WriterHead[]) => WriterHead[]]>([
    ['the head names another hash', (heads) => heads.map((one) => ({ ...one, hash: 'f'.repeat(64) }))],
    ['the head was set back', (heads) => heads.map((one) => (one.writer === WRITER ? { ...one, seq: 2 } : one))],
    ['the head was set forth', (heads) => heads.map((one) => ({ ...one, seq: one.seq + 1 }))],
  ])('%s', async (_, edit) => {
    const store = filled('secret')
    const tampered = changed(store, { heads: async () => edit([...(await store.heads())]) })
    const { fresh, running } = await verdicts(store, tampered, 'secret')
    expect(fresh).toBeDefined()
    expect(running).toBeDefined()
  })

  it('a whole writer is gone, for whoever had seen it', async () => {
    const store = filled('secret')
    const without = changed(store, {
      heads: async () => (await store.heads()).filter(({ writer }) => writer !== WRITER),
    })
    expect((await verdicts(store, without, 'secret')).running).toMatchObject({ writer: WRITER })
  })
})

describe('a verifier', () => {
  it('says how far it has read, when, and stays with what it found', async () => {
    const store = filled('secret')
    let isTampered = false
    const flaky = changed(store, {
      chain: async (writer, after, limit) => (isTampered && writer === WRITER ? [] : store.chain(writer, after, limit)),
    })
    const verifier = verifierOf(flaky, 'secret')
    expect(verifier.state()).toEqual({ valid: true, verifiedThrough: {}, verifiedAt: null, signed: true })
    await verifier.follow()
    expect(verifier.state()).toEqual({
      valid: true,
      verifiedThrough: { 'n/1': 6, 'n/2': 2 },
      verifiedAt: NOW,
      signed: true,
    })
    isTampered = true
    await verifier.scrub()
    isTampered = false
    await verifier.scrub()
    expect(verifier.state()).toMatchObject({ valid: false, firstBad: { writer: WRITER, seq: 1 } })
  })

  it('goes on with the chains of other writers after a fault in one', async () => {
    const store = filled('secret')
    const cut = edited(store, (entries, writer) => (writer === WRITER ? entries.slice(1) : entries))
    const verifier = verifierOf(cut, 'secret')
    await verifier.scrub()
    linkInto(store, 'n/2', 'secret', [answered('new')])
    await verifier.follow()
    expect(verifier.state().verifiedThrough).toEqual({ 'n/1': 0, 'n/2': 3 })
  })

  it('reads each entry once when following, and goes on where it was', async () => {
    const store = filled('secret')
    const asked: number[] = []
    const counting = changed(store, {
      chain: (writer, after, limit) => {
        if (writer === WRITER) asked.push(after)
        return store.chain(writer, after, limit)
      },
    })
    const verifier = verifierOf(counting, 'secret')
    await verifier.follow()
    await verifier.follow()
    linkInto(store, WRITER, 'secret', [answered('more')])
    await verifier.follow()
    expect(asked).toEqual([0, 6])
  })

  it('gives the event loop its turns, however many chains and checkpoints there are', async () => {
    const inner = memoryAudit()
    for (let index = 0; index < 100; index += 1) {
      linkInto(inner, `gone/${index}`, 'secret', [answered(`gone${index}`)])
      const [head] = (await inner.heads()).filter(({ writer }) => writer === `gone/${index}`)
      await inner.trim(head!.writer, head!)
    }
    const { privateKey: signingKey } = generateKeyPairSync('ed25519')
    const { log } = logOn({ store: inner, key: 'secret', signingKey, checkpointEvery: { entries: 1 } })
    await log.start()
    for (let index = 0; index < 100; index += 1) await log.stage(log.record(answered(`r${index}`)))
    await log.close()
    let [inTurn, most] = [0, 0]
    const store = changed(inner, {
      chain(...given) {
        if (inTurn === 0)
          setImmediate(() => {
            inTurn = 0
          })
        inTurn += 1
        most = Math.max(most, inTurn)
        return inner.chain(...given)
      },
    })
    const checks = createChecks({ store, key: 'secret', signingKey, clock: () => NOW })
    await checks.verifier.scrub()
    await checks.compare()
    expect(checks.firstBad).toBeNull()
    expect(checks.covered.get(log.writer)).toMatchObject({ seq: 102 })
    expect(most).toBeLessThan(20)
  })

  it('reads no more at a time, however many chains there are, and misses nothing in the end', async () => {
    const inner = memoryAudit({ maxEntries: 10_000 })
    const name = (index: number) => `n/${String(index).padStart(4, '0')}`
    for (let index = 0; index < 1_050; index += 1) {
      linkInto(inner, name(index), 'secret', [boot(`b${index}`, true)])
      const [head] = await inner.heads({ writer: name(index) })
      if (index % 2 === 0) await inner.trim(name(index), head!)
    }
    let isGone = false
    let [heads, chains] = [0, 0]
    const store = changed(inner, {
      async heads(query) {
        const read = (await inner.heads(query)).filter(({ writer }) => !isGone || writer !== name(7))
        heads += read.length
        return read
      },
      chain(...given) {
        chains += 1
        return inner.chain(...given)
      },
    })
    const { verifier } = createChecks({ store, key: 'secret', clock: () => NOW })
    await verifier.follow()
    expect(Object.keys(verifier.state().verifiedThrough)).toHaveLength(525)
    const most = async (work: () => Promise<void>, times: number) => {
      const counts: number[] = []
      for (let time = 0; time < times; time += 1) {
        heads = 0
        chains = 0
        await work()
        counts.push(heads + chains)
      }
      return Math.max(...counts)
    }
    expect(await most(() => verifier.look(), 30)).toBeLessThanOrEqual(110)
    expect(await most(() => verifier.step(), 60)).toBeLessThanOrEqual(200)
    linkInto(inner, name(7), 'secret', [answered('late')])
    linkInto(inner, name(1_000), 'secret', [answered('later')])
    await most(() => verifier.look(), 11)
    expect(verifier.state()).toMatchObject({ valid: true, verifiedThrough: { [name(7)]: 2, [name(1_000)]: 2 } })
    isGone = true
    await most(() => verifier.look(), 22)
    expect(verifier.state().firstBad).toEqual({ writer: name(7), seq: 2, reason: 'the whole chain is missing' })
  })

  it('keeps at hand what it needs for a thousand chains, and makes the rest anew', async () => {
    const store = memoryAudit()
    const writers = Array.from({ length: 1_100 }, (_, index) => `n/${index}`)
    const verifier = verifierOf(store, 'secret')
    for (const round of [1, 2, 3]) {
      for (const writer of writers) linkInto(store, writer, 'secret', [boot(`${writer} ${round}`, true)])
      await verifier.follow()
    }
    expect(verifier.state()).toMatchObject({ valid: true, signed: true, verifiedThrough: { 'n/0': 3, 'n/1099': 3 } })
  })

  it('finds a flipped byte within one pass of its steps, wherever it is', async () => {
    const store = memoryAudit()
    linkInto(store, WRITER, 'secret', [
      boot('b', true),
      ...Array.from({ length: 2_000 }, (_, index) => answered(`r${index}`)),
    ])
    for (const seq of [1, 2, 256, 257, 1_000, 2_001]) {
      let isTampered = false
      const spoilt = changed(store, {
        chain: async (writer, after, limit) =>
          (await store.chain(writer, after, limit)).map((one) =>
            isTampered && one.integrity!.seq === seq ? { ...one, body: one.body!.replace('info', 'inFo') } : one,
          ),
      })
      const verifier = verifierOf(spoilt, 'secret')
      await verifier.follow()
      for (let step = 0; step < 3; step += 1) await verifier.step()
      isTampered = true
      for (let step = 0; step < 2 * 9; step += 1) await verifier.step()
      expect(verifier.state().firstBad).toMatchObject({ seq })
    }
  })

  it('says that the log is signed only where every chain is, and it has the key', async () => {
    const store = filled('secret')
    const verifier = verifierOf(store, 'secret')
    linkInto(store, 'n/3', undefined, [boot('b3', false)])
    await verifier.scrub()
    expect(verifier.state()).toMatchObject({ valid: true, signed: false })
    const keyless = verifierOf(filled('secret'))
    await keyless.scrub()
    expect(keyless.state()).toMatchObject({ valid: true, signed: false })
  })

  it('a store that fails is no damage: the call rejects and the next one goes on', async () => {
    const store = filled('secret')
    let fails = true
    const failing = changed(store, {
      chain: async (writer, after, limit) => {
        if (fails) throw new Error('down')
        return store.chain(writer, after, limit)
      },
    })
    const verifier = verifierOf(failing, 'secret')
    await expect(verifier.follow()).rejects.toThrow('down')
    await expect(verifier.scrub()).rejects.toThrow('down')
    fails = false
    await verifier.step()
    await verifier.scrub()
    expect(verifier.state()).toMatchObject({ valid: true, verifiedThrough: { 'n/1': 6 } })
  })
})
