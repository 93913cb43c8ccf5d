import { HooshError } from '../errors.js'

const LF = 0x0a
const CR = 0x0d
/** Longest event that is waited for, bytes: an image comes in one, as base64. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024

/** Finds where SSE events end in a stream of chunks, without decoding them. */
export interface EventScanner {
  /** The events of which the end has come, each with its blank line; what is incomplete is kept. */
  push(chunk: Buffer): Buffer[]
  /** What is left at the end of the stream: an event without its blank line, or nothing. */
  rest(): Buffer | null
}

export function eventScanner(): EventScanner {
  let kept: Buffer[] = []
  let keptBytes = 0
  let isFirst = true
  return {
    push(chunk) {
      if (chunk.length === 0) return []
      let buffer = chunk
      if (keptBytes > 0) {
        keptBytes += chunk.length
        if (keptBytes > MAX_EVENT_BYTES) throw tooLong()
        kept.push(chunk)
        // Joining per chunk would be quadratic for one long event: look for its end across the seam only.
        if (!mayEndAnEvent(kept, chunk)) return []
        buffer = Buffer.concat(kept, keptBytes)
      }
      if (isFirst && buffer.length >= 3) {
        isFirst = false
        buffer = withoutMark(buffer)
      }
      const events: Buffer[] = []
      const end = split(buffer, events)
      if (end > 0) isFirst = false
      kept = end < buffer.length ? [end === 0 ? buffer : buffer.subarray(end)] : []
      keptBytes = buffer.length - end
      return events
    },
    rest() {
      if (keptBytes === 0) return null
      const left = Buffer.concat(kept, keptBytes)
      return isFirst ? withoutMark(left) : left
    },
  }
}

/** Without a byte order mark, which only the very first bytes of a stream may be. */
function withoutMark(buffer: Buffer): Buffer {
  return buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? buffer.subarray(3) : buffer
}

/** Splits at blank lines (LF, CR LF or CR); returns where the incomplete rest begins. */
function split(buffer: Buffer, events: Buffer[]): number {
  if (buffer.indexOf(CR) < 0) return splitAtLineFeeds(buffer, events)
  let start = 0
  let at = 0
  let lineStart = 0
  while (at < buffer.length) {
    const byte = buffer[at]!
    if (byte !== LF && byte !== CR) {
      at += 1
      continue
    }
    // A CR at the very end may be the first half of CR LF: wait for what follows.
    if (byte === CR && at + 1 === buffer.length) break
    const next = byte === CR && buffer[at + 1] === LF ? at + 2 : at + 1
    if (at === lineStart) {
      if (at > start) events.push(buffer.subarray(start, next))
      start = next
    }
    at = next
    lineStart = next
  }
  return start
}

function splitAtLineFeeds(buffer: Buffer, events: Buffer[]): number {
  let start = 0
  for (;;) {
    const end = buffer.indexOf('\n\n', start, 'latin1')
    if (end < 0) return start
    const next = end + 2
    // Most chunks are one whole event: another view of it is saved.
    const isWhole = start === 0 && next === buffer.length
    if (end > start || buffer[start] !== LF) events.push(isWhole ? buffer : buffer.subarray(start, next))
    start = next
  }
}

/** Whether a blank line ends in a chunk, or one whose CR was the last byte has been waiting for it. */
function mayEndAnEvent(kept: readonly Buffer[], chunk: Buffer): boolean {
  const [second, last] = lastTwo(kept)
  if (isBlank(last, chunk[0]) || (last === CR && isBlank(second, last))) return true
  if (chunk.indexOf(CR) < 0) return chunk.indexOf('\n\n') >= 0
  for (let at = 1; at < chunk.length; at += 1) if (isBlank(chunk[at - 1], chunk[at])) return true
  return false
}

/** The bytes before the newest chunk, which is the last of those that are kept. */
function lastTwo(kept: readonly Buffer[]): readonly [number | undefined, number | undefined] {
  const last = kept[kept.length - 2]!
  return [last.length > 1 ? last[last.length - 2] : kept[kept.length - 3]?.at(-1), last[last.length - 1]]
}

/** Two ends of lines with nothing in between: CR LF is one. */
function isBlank(first: number | undefined, second: number | undefined): boolean {
  const areEnds = (first === LF || first === CR) && (second === LF || second === CR)
  return areEnds && !(first === CR && second === LF)
}

function tooLong(): HooshError {
  return new HooshError('provider_error', {
    message: `The provider sent an event of more than ${MAX_EVENT_BYTES} bytes.`,
  })
}
