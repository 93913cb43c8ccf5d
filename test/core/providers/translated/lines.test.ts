import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ndjsonFramer, sseFramer } from '../../../../packages/core/src/providers/translated/lines.js'

const bytes = (text: string) => new Uint8Array(Buffer.from(text))

/** What comes out when the text comes in pieces of the sizes given, then in what is left. */
function framed(make: typeof ndjsonFramer, text: string, sizes: readonly number[]): string[] {
  const out: string[] = []
  const framer = make((piece) => void out.push(piece))
  const all = bytes(text)
  let at = 0
  for (const size of sizes) {
    framer.push(all.subarray(at, at + size))
    at += size
  }
  framer.push(all.subarray(at))
  framer.end()
  return out
}

const ENDS = ['\n', '\r\n', '\r'] as const
const cuts = fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 200 })
const texts = fc.array(
  fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, '·')),
  { minLength: 1, maxLength: 6 },
)

describe('server-sent events', () => {
  it.each(ENDS)('come out the same however they are cut, with %j', (end) => {
    fc.assert(
      fc.property(texts, cuts, (events, sizes) => {
        const wire = events.map((data) => `event: x${end}: comment${end}data: ${data}${end}${end}`).join('')
        expect(framed(sseFramer, wire, sizes)).toEqual(events)
        expect(framed(sseFramer, `\ufeff${wire}`, [])).toEqual(events)
      }),
    )
  })

  it('join the lines of one event, and end with the stream', () => {
    expect(framed(sseFramer, 'data: a\ndata:b\n\ndata: c', [])).toEqual(['a\nb', 'c'])
  })

  it('come as soon as their end is there', () => {
    const out: string[] = []
    const framer = sseFramer((data) => void out.push(data))
    framer.push(bytes('data: one\n\ndata: tw'))
    expect(out).toEqual(['one'])
    framer.push(bytes('o\n\n'))
    expect(out).toEqual(['one', 'two'])
  })
})

describe('lines of JSON', () => {
  it.each(ENDS)('come out the same however they are cut, with %j', (end) => {
    fc.assert(
      fc.property(texts, cuts, (lines, sizes) => {
        const wanted = lines.filter((line) => line !== '' && !line.startsWith('\ufeff'))
        expect(framed(ndjsonFramer, wanted.join(end), sizes)).toEqual(wanted)
      }),
    )
  })
})

describe('limits', () => {
  it('are a line of 8 MiB', () => {
    const framer = ndjsonFramer(() => undefined)
    const piece = bytes('x'.repeat(65_536))
    expect(() => {
      for (let sent = 0; sent < 129; sent += 1) framer.push(piece)
    }).toThrowError(expect.objectContaining({ code: 'provider_error' }))
  })

  it('are UTF-8', () => {
    const framer = sseFramer(() => undefined)
    expect(() => framer.push(new Uint8Array([0x64, 0xff, 0x0a]))).toThrowError(
      expect.objectContaining({ code: 'provider_error' }),
    )
  })
})
