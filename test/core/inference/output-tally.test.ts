import { describe, expect, it } from 'vitest'
import { outputCounter } from '../../../packages/core/src/context/output-count.js'
import { outputTally } from '../../../packages/core/src/inference/output-tally.js'
import { readEvent } from '../../../packages/core/src/inference/stream-event.js'
import { randomFrom } from '../../support/random.js'

const MiB = 1024 * 1024
const eventOf = (delta: object) =>
  Buffer.from(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`).toString('latin1')

function tallyOf(deltas: readonly object[]) {
  const tally = outputTally()
  const feed = (delta: object) => {
    const text = eventOf(delta)
    const event = readEvent(text)
    tally.add(tally.weigh(event, text), event, text)
  }
  deltas.forEach(feed)
  return { tally, feed }
}

describe('the tally of a stream', () => {
  it('is at most bytes until it counts, then tokens, and the role is none', async () => {
    const { tally, feed } = tallyOf([{ role: 'assistant', content: '' }, { content: ' hello' }, { content: ' world' }])
    expect(tally.atMost).toBeGreaterThan(12)
    await tally.startCounting(await outputCounter('o200k_base'), Infinity)
    expect([tally.isCounting, tally.atMost]).toEqual([true, 2])
    feed({ content: '' })
    expect(tally.atMost).toBe(2)
    feed({ content: ' again' })
    expect(tally.atMost).toBe(3)
  })

  it('believes an estimate as far as the limit goes, and events beyond it', async () => {
    const { tally, feed } = tallyOf([{ content: ' a long word' }])
    await tally.startCounting(await outputCounter(null), 10)
    expect(tally.atMost).toBe(6)
    feed({ content: ' and another one' })
    expect(tally.atMost).toBe(10)
    for (let event = 3; event <= 10; event += 1) feed({ content: '.' })
    expect(tally.atMost).toBe(10)
    feed({ content: '.' })
    expect(tally.atMost).toBe(11)
  })

  it('counts much text in turns, so that others get theirs', async () => {
    const random = randomFrom(1)
    const noise = () => Array.from({ length: 1_024 }, () => random.pick([...'abcdefghij0123456789'])).join('')
    const { tally } = tallyOf(Array.from({ length: 256 }, () => ({ content: noise() })))
    let turns = 0
    const turning = setInterval(() => (turns += 1), 0)
    await tally.startCounting(await outputCounter('o200k_base'), Infinity)
    clearInterval(turning)
    expect(turns).toBeGreaterThan(10)
    expect(tally.atMost).toBeLessThan(256 * 1_024)
  })

  it('keeps a mebibyte of text; what is beyond counts as its bytes', async () => {
    const prose = ' sea'.repeat(16_384)
    const { tally } = tallyOf(Array.from({ length: 32 }, () => ({ content: prose })))
    expect(tally.atMost).toBe(2 * MiB)
    await tally.startCounting(await outputCounter('o200k_base'), Infinity)
    expect(tally.atMost).toBeGreaterThanOrEqual(MiB + MiB / 4)
    expect(tally.atMost).toBeLessThan(MiB + MiB / 3)
  })
})
