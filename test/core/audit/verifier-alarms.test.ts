import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryAudit } from '../../../packages/core/src/audit/memory-store.js'
import type { AuditStore } from '../../../packages/core/src/audit/store.js'
import { deferred } from '../../support/deferred.js'
import { answered, changed, linkInto } from './support.js'
import { boot, filled, verifierOf, WRITER } from './verifying.js'

/** Until everything that runs without a timer has run. */
const turns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve))
}

describe('no false alarm', () => {
  it('100,000 entries verify', async () => {
    const store = memoryAudit({ maxEntries: 200_000 })
    linkInto(store, WRITER, 'secret', [
      boot('b', true),
      ...Array.from({ length: 100_000 }, (_, index) => answered(`r${index}`)),
    ])
    const verifier = verifierOf(store, 'secret')
    await verifier.follow()
    expect(verifier.state()).toMatchObject({ valid: true, verifiedThrough: { [WRITER]: 100_001 } })
  })

  it('a chain whose oldest entries were evicted verifies from its anchor', async () => {
    const store = memoryAudit({ maxEntries: 100 })
    const early = verifierOf(store, 'secret')
    linkInto(store, WRITER, 'secret', [
      boot('b', true),
      ...Array.from({ length: 50 }, (_, index) => answered(`a${index}`)),
    ])
    await early.scrub()
    linkInto(
      store,
      WRITER,
      'secret',
      Array.from({ length: 1_000 }, (_, index) => answered(`b${index}`)),
    )
    const late = verifierOf(store, 'secret')
    for (const verifier of [early, late]) {
      await verifier.scrub()
      expect(verifier.state()).toMatchObject({ valid: true, verifiedThrough: { [WRITER]: 1_051 } })
    }
    expect(await store.heads()).toMatchObject([{ seq: 1_051, anchor: { seq: 951 } }])
  })

  it('where it is told of new entries while it reads them, or reads a head from before they came', async () => {
    const asked = ['heads', 'chain'] as const
    for (const slow of asked) {
      for (let delayed = 1; delayed <= 4; delayed += 1) {
        const inner = filled('secret')
        const gate = deferred()
        let calls = 0
        const late = async <Answer>(method: string, answer: Answer): Promise<Answer> => {
          if (method === slow && ++calls === delayed) await gate.promise
          return answer
        }
        const store = changed(inner, {
          heads: async () => late('heads', [...(await inner.heads())]),
          chain: async (...range) => late('chain', await inner.chain(...range)),
        })
        const verifier = verifierOf(store, 'secret')
        const before = (await inner.heads()).find(({ writer }) => writer === WRITER)!
        const following = (async () => {
          for (let round = 0; round < 3; round += 1) await verifier.follow()
        })()
        await turns()
        for (const count of [1, 2]) {
          const after = (await inner.heads()).find(({ writer }) => writer === WRITER)!
          linkInto(
            inner,
            WRITER,
            'secret',
            Array.from({ length: count }, (_, at) => answered(`late${count}${at}`)),
          )
          const head = (await inner.heads()).find(({ writer }) => writer === WRITER)!
          verifier.linked(WRITER, after, head)
          verifier.linked(WRITER, before, head)
        }
        gate.resolve()
        await following
        await verifier.scrub()
        expect(verifier.state().firstBad, `${slow} ${delayed}`).toBeUndefined()
        expect(verifier.state().verifiedThrough[WRITER]).toBe(9)
      }
    }
  })

  it('where an entry is committed, read by a look under way, and only then told of', async () => {
    const inner = filled('secret')
    const heads = await inner.heads()
    const held = deferred()
    const again = changed(inner, {
      chain: async (...range) => {
        const read = await inner.chain(...range)
        await held.promise
        return read
      },
    })
    let current: AuditStore = inner
    const switching: AuditStore = {
      ...inner,
      heads: () => current.heads(),
      chain: (...range) => current.chain(...range),
    }
    const watched = verifierOf(switching, 'secret')
    await watched.follow()
    current = again
    const after = heads.find(({ writer }) => writer === WRITER)!
    linkInto(inner, WRITER, 'secret', [answered('told late')])
    const following = watched.follow()
    await turns()
    watched.linked(WRITER, after, (await inner.heads()).find(({ writer }) => writer === WRITER)!)
    held.resolve()
    await following
    expect(watched.state().firstBad).toBeUndefined()
  })

  it('while writers append, entries are evicted, and following, steps and scrubs run at once', async () => {
    const action = fc.oneof(
      fc.record({ writer: fc.constantFrom('n/1', 'n/2', 'n/3'), count: fc.integer({ min: 1, max: 40 }) }),
      fc.constantFrom('follow', 'step', 'scrub'),
    )
    const runOf = async (actions: readonly (string | { writer: string; count: number })[], maxEntries: number) => {
      const inner = memoryAudit({ maxEntries })
      // Each read takes a turn, so that appends come between the reads of one look.
      const slow = changed(inner, {
        heads: async () => inner.heads(),
        chain: async (...asked) => {
          await Promise.resolve()
          return inner.chain(...asked)
        },
      })
      const verifier = verifierOf(slow, 'secret')
      const running: Promise<void>[] = []
      let made = 0
      for (const one of actions) {
        if (typeof one === 'object') {
          linkInto(
            inner,
            one.writer,
            'secret',
            Array.from({ length: one.count }, () => answered(`r${made++}`)),
          )
          await Promise.resolve()
        } else running.push(verifier[one as 'follow' | 'step' | 'scrub']())
      }
      await Promise.all(running)
      await verifier.scrub()
      expect(verifier.state().firstBad).toBeUndefined()
    }
    await fc.assert(fc.asyncProperty(fc.array(action, { maxLength: 25 }), fc.integer({ min: 1, max: 100 }), runOf), {
      numRuns: 300,
    })
  })
})
