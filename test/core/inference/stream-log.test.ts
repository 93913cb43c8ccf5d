import type { ByteSink } from '@hoosh/core'
import { gate } from '@hoosh/core/testing'
import { describe, expect, it } from 'vitest'
import { cancel } from '../../../packages/core/src/cancel.js'
import { decodeRecord, encodeRecord } from '../../../packages/core/src/inference/keyed/record.js'
import { streamLog } from '../../../packages/core/src/inference/keyed/stream-log.js'

const MiB = 1024 * 1024

/** A client that takes nothing until the gate is open. */
function reader(ready = Promise.resolve()) {
  const got: (Uint8Array | string)[] = []
  const sink: ByteSink = {
    closed: false,
    async write(chunk) {
      await ready
      got.push(chunk)
    },
  }
  return { sink, got }
}

const bytesIn = (got: (Uint8Array | string)[]) => got.reduce((sum, { length }) => sum + length, 0)

describe('a stream that is kept as it comes', () => {
  it('gives all of it to whoever comes, whenever, as fast as each one takes it', async () => {
    const log = streamLog(cancel())
    const slow = gate()
    const [early, late, tardy] = [reader(), reader(slow.wait()), reader()]
    const plays = [log.play(early.sink, cancel(), false), log.play(late.sink, cancel(), true)]
    for (const word of ['one', 'two']) expect(log.sink.write(word)).toBeUndefined()
    await slow.reached
    plays.push(log.play(tardy.sink, cancel(), true))
    log.sink.write(': hoosh {"cost_micro_usd":12.5,"cache":"MISS"}\n\n')
    log.end()
    slow.open()
    await Promise.all(plays)
    const words = ['one', 'two']
    expect(early.got).toEqual([...words, ': hoosh {"cost_micro_usd":12.5,"cache":"MISS"}\n\n'])
    for (const { got } of [late, tardy])
      expect(got).toEqual([...words, ': hoosh {"cost_micro_usd":0,"cache":"MISS"}\n\n'])
    expect(Buffer.from(log.whole()!).toString()).toBe('onetwo: hoosh {"cost_micro_usd":0,"cache":"MISS"}\n\n')
  })

  it('lets a reader go that has gone', async () => {
    const log = streamLog(cancel())
    const leaving = cancel()
    const play = log.play(reader().sink, leaving, false)
    leaving.abort(null)
    await play
  })

  it('of more than 12 MiB keeps no more than what somebody has yet to read, and nobody can join', async () => {
    const log = streamLog(cancel())
    const slow = gate()
    const [quick, held] = [reader(), reader(slow.wait())]
    const plays = [log.play(quick.sink, cancel(), false), log.play(held.sink, cancel(), true)]
    let waiting: unknown
    for (let sent = 0; sent <= 12; sent += 1) {
      expect(waiting).toBeUndefined()
      waiting = log.sink.write(new Uint8Array(MiB))
    }
    await expect(log.play(reader().sink, cancel(), true)).rejects.toMatchObject({ code: 'idempotency_unknown' })
    const done = Promise.resolve(waiting).then(() => bytesIn(held.got))
    slow.open()
    expect(await done).toBe(13 * MiB)
    log.sink.write('end')
    log.end()
    await Promise.all(plays)
    expect([bytesIn(quick.got), bytesIn(held.got)]).toEqual([13 * MiB + 3, 13 * MiB + 3])
    expect(log.whole()).toBeNull()
  })
})

describe('what is kept under a key', () => {
  it('comes back as it was, bytes included', () => {
    const body = Buffer.from([0, 10, 255, 13])
    const record = { state: 'answered', print: 'p', call: 'c', status: 200, headers: { a: 'b' } } as const
    expect(decodeRecord(encodeRecord(record, body))).toMatchObject({ record, body })
  })

  it.each(['', '{', '{"v":2,"state":"running"}\n', 'x'])('is null for what this version does not know: %j', (text) => {
    expect(decodeRecord(Buffer.from(text))).toBeNull()
  })
})
