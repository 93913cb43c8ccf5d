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
  /** Whether the line was ended, so that nothing of it can be missing. */
  readonly isEnded: boolean
}

/** Lines one by one, numbered from 1. What stands behind the last newline is a line only if there is something. */
export function* linesOf(source: Lines): Generator<TextLine> {
  let number = 0
  let waiting: (Pick<TextLine, 'text' | 'isEnded'> & { readonly isString: boolean }) | null = null
  let areEnded = false
  for (const piece of typeof source === 'string' || source instanceof Uint8Array ? pieces(source) : source) {
    if (waiting !== null) {
      const { text, isEnded, isString } = waiting
      // Where strings come without their newlines, only the last one can be torn.
      yield { number: ++number, text, isEnded: isEnded || (isString && !areEnded) }
    }
    const text = textOf(piece)
    const isEnded = text?.endsWith('\n') ?? endsLine(piece)
    areEnded ||= isEnded
    waiting = {
      text: isEnded && text !== null ? text.slice(0, -1) : text,
      isEnded,
      isString: typeof piece === 'string',
    }
  }
  if (waiting === null || (!waiting.isEnded && waiting.text === '')) return
  yield { number: ++number, text: waiting.text, isEnded: waiting.isEnded }
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

function textOf(piece: string | Uint8Array): string | null {
  if (typeof piece === 'string') return piece
  return isUtf8(piece) ? Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('utf8') : null
}

function endsLine(piece: string | Uint8Array): boolean {
  return typeof piece !== 'string' && piece.at(-1) === 10
}
