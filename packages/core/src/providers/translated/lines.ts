import { isUtf8 } from 'node:buffer'
import { HooshError } from '../../errors.js'

const LF = 0x0a
const CR = 0x0d
/** Longest line of a provider's stream, bytes: an image comes in one, as base64. */
const MAX_LINE_BYTES = 8 * 1_048_576

/** Cuts a stream of chunks into texts, each as soon as its end has come. */
export interface Framer {
  /** @throws HooshError `provider_error` for a line of more than 8 MiB, and for what is not UTF-8 */
  push(chunk: Uint8Array): void
  /** What is left at the end of the stream counts as whole. */
  end(): void
}

/**
 * The data of server-sent events; comments, ids and empty events are left out.
 *
 * @param emit is told whether the event is called `error`; no other name says what the data does not say too
 */
export function sseFramer(emit: (data: string, isError: boolean) => void): Framer {
  let data: string | null = null
  let isError = false
  const lines = lineFramer((line) => {
    if (line === '') {
      const whole = data
      const wasError = isError
      data = null
      isError = false
      if (whole !== null) emit(whole, wasError)
    } else if (line === 'event: error' || line === 'event:error') {
      isError = true
    } else if (line.startsWith('data:')) {
      const value = line.slice(line.charCodeAt(5) === 0x20 ? 6 : 5)
      data = data === null ? value : `${data}\n${value}`
      if (data.length > MAX_LINE_BYTES) throw tooLong()
    }
  })
  return {
    push: lines.push,
    end() {
      lines.end()
      if (data !== null) emit(data, isError)
    },
  }
}

/** One text a line; empty lines are left out. */
export function ndjsonFramer(emit: (line: string) => void): Framer {
  return lineFramer((line) => {
    if (line !== '') emit(line)
  })
}

/**
 * Lines that end in LF, CR LF or CR, without a byte order mark. Decoded only as whole lines, so that no character is ever
 * cut; bytes wait in a list, since joining per chunk would be quadratic.
 */
function lineFramer(emit: (line: string) => void): Framer {
  let kept: Uint8Array[] = []
  let keptBytes = 0
  let endsInCr = false
  let isFirst = true
  const take = (whole: Buffer) => {
    const text = decoded(whole)
    const marked = isFirst && text.charCodeAt(0) === 0xfeff
    isFirst = false
    eachLine(marked ? text.slice(1) : text, emit)
  }
  return {
    push(chunk) {
      if (chunk.length === 0) return
      let buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      if (keptBytes > 0 && (endsInCr || endOfLines(buffer) > 0)) {
        buffer = Buffer.concat([...kept, buffer], keptBytes + buffer.length)
        kept = []
        keptBytes = 0
      }
      const end = endOfLines(buffer)
      if (end < buffer.length) {
        kept.push(end === 0 ? buffer : buffer.subarray(end))
        keptBytes += buffer.length - end
      }
      endsInCr = keptBytes > 0 && buffer[buffer.length - 1] === CR
      if (keptBytes > MAX_LINE_BYTES) throw tooLong()
      if (end > 0) take(end === buffer.length ? buffer : buffer.subarray(0, end))
    },
    end() {
      if (keptBytes === 0) return
      const rest = Buffer.concat(kept, keptBytes)
      keptBytes = 0
      take(Buffer.concat([rest, Buffer.from('\n')]))
    },
  }
}

/** Where the incomplete last line begins. A CR at the very end may be the first half of CR LF: it waits for what follows. */
function endOfLines(buffer: Buffer): number {
  const lf = buffer.lastIndexOf(LF)
  const cr = buffer.lastIndexOf(CR)
  return Math.max(lf, cr === buffer.length - 1 ? -1 : cr) + 1
}

function eachLine(text: string, emit: (line: string) => void): void {
  const lines = text.indexOf('\r') < 0 ? text : text.replace(/\r\n?/g, '\n')
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf('\n', start)
    emit(lines.slice(start, end))
    start = end + 1
  }
}

function decoded(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  throw new HooshError('provider_error', { message: 'The provider sent something that is not UTF-8.' })
}

function tooLong(): HooshError {
  return new HooshError('provider_error', {
    message: `The provider sent a line of more than ${MAX_LINE_BYTES} bytes.`,
  })
}
