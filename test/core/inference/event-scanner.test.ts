import { describe, expect, it } from 'vitest'
import { eventScanner } from '../../../packages/core/src/inference/event-scanner.js'

function scanned(text: string, size: number): { events: string[]; rest: string | null } {
  const bytes = Buffer.from(text)
  const scanner = eventScanner()
  const events: string[] = []
  for (let at = 0; at < bytes.length; at += size)
    for (const event of scanner.push(bytes.subarray(at, at + size))) events.push(event.toString())
  return { events, rest: scanner.rest()?.toString() ?? null }
}

describe('events in any pieces', () => {
  it.each([1, 2, 3, 5, 100])('that end in CR CR, as soon as the next one begins (pieces of %s bytes)', (size) => {
    expect(scanned('data: a\r\rdata: b', size)).toEqual({ events: ['data: a\r\r'], rest: 'data: b' })
  })

  it.each([1, 2, 3, 5, 100])(
    'the byte order mark is gone from an event that lacks its end too (pieces of %s bytes)',
    (size) => {
      expect(scanned('\ufeffdata: a', size)).toEqual({ events: [], rest: 'data: a' })
      expect(scanned('\ufeffdata: a\n\ndata: b', size)).toEqual({ events: ['data: a\n\n'], rest: 'data: b' })
    },
  )

  it.each(['\r\r', '\r\n\r\n', '\r\n\r', '\n\r', '\n\r\n'])('whatever ends their lines: %j', (end) => {
    for (const size of [1, 2, 3, 100]) {
      const { events, rest } = scanned(`data: a\rdata: b${end}data: c`, size)
      expect([events.join(''), events.length, rest]).toEqual([`data: a\rdata: b${end}`, 1, 'data: c'])
    }
  })

  it('nothing between two pieces is no end of the stream', () => {
    const scanner = eventScanner()
    const pieces = ['data: a\r\r', '', 'data: b'].map((text) => Buffer.from(text))
    expect(pieces.flatMap((piece) => scanner.push(piece)).map(String)).toEqual(['data: a\r\r'])
  })
})
