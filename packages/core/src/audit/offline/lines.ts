import { isUtf8 } from 'node:buffer'

/**
 * A log, or checkpoints: the whole text, or its lines. Lines that are bytes have their newlines, as they stand in files, so that
 * each of several files may end with a torn one; lines that are strings may come without.
 */
export type Lines = string | Uint8Array | Iterable<string | Uint8Array>

export interface TextLine {
  readonly number: number
  /** Null: the bytes are no UTF-8. */
  readonly text: string | null
  /** The text of a line that may have been cut: without a last character of which only a part is there. */
  readonly start: string | null
  /** Whether the line was ended, so that nothing of it can be missing. */
  readonly isEnded: boolean
}

/** Lines one by one, numbered from 1. What stands behind the last newline is a line only if there is something. */
export function* linesOf(source: Lines): Generator<TextLine> {
  let number = 0
  let waiting: (Omit<TextLine, 'number'> & { readonly isString: boolean }) | null = null
  let areEnded = false
  for (const piece of typeof source === 'string' || source instanceof Uint8Array ? pieces(source) : source) {
    if (waiting !== null) {
      const { text, start, isEnded, isString } = waiting
      // Where strings come without their newlines, only the last one can be torn.
      yield { number: ++number, text, start, isEnded: isEnded || (isString && !areEnded) }
    }
    const isString = typeof piece === 'string'
    const isEnded = isString ? piece.endsWith('\n') : piece.at(-1) === 10
    const bare = isEnded ? (isString ? piece.slice(0, -1) : piece.subarray(0, -1)) : piece
    areEnded ||= isEnded
    const { text, start } = textsOf(bare)
    waiting = { text, start, isEnded, isString }
  }
  if (waiting === null || (!waiting.isEnded && waiting.text === '')) return
  const { text, start, isEnded } = waiting
  yield { number: ++number, text, start, isEnded }
}

function* pieces(whole: string | Uint8Array): Generator<string | Uint8Array> {
  const newline = typeof whole === 'string' ? '\n' : 10
  let from = 0
  while (from < whole.length) {
    const found = whole.indexOf(newline as never, from)
    const to = found < 0 ? whole.length : found + 1
    yield typeof whole === 'string' ? whole.slice(from, to) : whole.subarray(from, to)
    from = to
  }
}

function textsOf(line: string | Uint8Array): Pick<TextLine, 'text' | 'start'> {
  if (typeof line === 'string') return { text: line, start: line }
  if (!isUtf8(line)) return { text: null, start: startOf(line) }
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8')
  return { text, start: text }
}

/** Null where more than the last character is no UTF-8. */
function startOf(line: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line, { stream: true })
  } catch {
    return null
  }
}
