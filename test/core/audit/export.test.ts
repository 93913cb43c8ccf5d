import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { exportOf } from '../../../packages/core/src/audit/export.js'
import { logOn, NOW, recordOf } from './support.js'

const { privateKey: signingKey } = generateKeyPairSync('ed25519')

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
