import { generateKeyPairSync } from 'node:crypto'
import { verifyAuditLog } from '@hoosh/core/audit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkpointLines, exportOf } from '../../../packages/core/src/audit/export.js'
import { logOn, NOW, recordOf } from './support.js'

const { privateKey: signingKey, publicKey } = generateKeyPairSync('ed25519')

const textOf = async (pieces: AsyncIterable<string>) => {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}

describe('what lies between two moments, of chains that follow one another', () => {
  const key = 'the key of this test'
  const signing = { key, signingKey, checkpointEvery: { entries: 4 } }
  /** Three processes of a node, each of 20 s; the first and the last did not seal their chains. */
  const filled = async () => {
    let at = logOn(signing)
    const { store } = at
    for (const isSealed of [false, true, false]) {
      const { log, time } = at
      await log.start()
      for (let index = 0; index < 20; index += 1) {
        await log.stage(log.record(recordOf('x')))
        await log.flush()
        time.now += 1_000
      }
      if (isSealed) await log.close()
      else onTestFinished(() => log.close())
      at = logOn({ ...signing, store })
      at.time.now = time.now
    }
    const checkpoints = (await textOf(checkpointLines(store, {}))).split('\n').slice(0, -1)
    return { store, checkpoints }
  }

  it('verifies up to a moment: no later boot names what is not there any more', async () => {
    const { store, checkpoints } = await filled()
    for (const seconds of [5, 25, 45]) {
      const to = NOW + seconds * 1_000
      const part = await textOf(await exportOf(store, { to }))
      const before = checkpoints.filter((line) => JSON.parse(line).time < to)
      expect(verifyAuditLog(part, { key })).toMatchObject({ code: 0 })
      const verdict = verifyAuditLog(part, { checkpoints: before, publicKey, key })
      expect(verdict).toMatchObject({ code: 0, tags: 'checked' })
      expect(verdict.writers).toHaveLength(Math.ceil(seconds / 20))
    }
  })

  it('verifies from a moment on, though chains had ended before', async () => {
    const { store, checkpoints } = await filled()
    for (const seconds of [5, 25, 45]) {
      const part = await textOf(await exportOf(store, { from: NOW + seconds * 1_000 }))
      const verdict = verifyAuditLog(part, { checkpoints, publicKey, key })
      expect(verdict).toMatchObject({ code: 0, tags: 'checked' })
      expect(verdict.entries).toBeLessThan(66 - seconds)
    }
  })
})

describe('an extract of some hours', () => {
  it('has entries of then that were linked much later, since their process had died', async () => {
    const signing = { signingKey, checkpointEvery: { entries: 2 } }
    const first = logOn(signing)
    await first.log.start()
    await first.log.close()
    const late = Array.from({ length: 9 }, (_, at) => recordOf(`late ${at}`, { subject: 'ann', timestamp: NOW + 10 }))
    await first.store.stage('node/dead', late)
    const later = logOn({ ...signing, store: first.store })
    onTestFinished(() => later.log.close())
    later.time.now += 1_000_000
    await later.log.start()
    await later.log.flush()
    await expect.poll(async () => (await first.store.staged({ limit: 1 })).length).toBe(0)
    let text = ''
    for await (const piece of await exportOf(first.store, { subject: 'ann', from: NOW, to: NOW + 100 })) text += piece
    expect(text.match(/"id":"late \d"/g)).toHaveLength(9)
  })
})
