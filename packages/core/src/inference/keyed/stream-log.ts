import type { CancelSignal } from '../../cancel.js'
import type { ByteSink } from '../../exchange.js'
import { idempotencyUnknown } from './errors.js'

/** A stream that is kept as it comes, so that whoever arrives later gets all of it. */
export interface StreamLog {
  /** Where the call writes to. */
  readonly sink: ByteSink
  /** No more will come. */
  end(): void
  /**
   * Writes what came so far, then what comes, each as fast as its reader takes it; resolves at the end, or once the
   * reader has gone.
   *
   * @param isReplay whether this is another caller than the one who pays
   * @throws HooshError `idempotency_unknown` where its begin was not kept
   */
  play(to: ByteSink, gone: CancelSignal, isReplay: boolean): Promise<void>
  /** All of it as a replay; null where it was too long to be kept. */
  whole(): Uint8Array | null
}

/** Longest stream that is kept, bytes. Beyond it readers are in step with the provider, and nobody can join. */
const MOST_BYTES = 12 * 1024 * 1024

/** The comment with the bill, which the gateway writes as one string: docs/api.md. */
const COST = ': hoosh {"cost_micro_usd":'

interface Reader {
  at: number
}

/** @param gone the call was given up: nothing that is written now is read */
export function streamLog(gone: CancelSignal): StreamLog {
  let chunks: (Uint8Array | string)[] = []
  let bytes = 0
  let isOver = false
  let isTrimmed = false
  const readers = new Set<Reader>()
  let more = signal()
  let taken = signal()
  const changed = () => {
    const told = more
    more = signal()
    told.set()
  }
  /** Beyond the bound what everybody has is forgotten, and the provider waits until it is. */
  const trim = () => {
    for (const reader of readers) if (reader.at < chunks.length) return
    chunks = []
    for (const reader of readers) reader.at = 0
    const told = taken
    taken = signal()
    told.set()
  }
  const readOn = async (reader: Reader, to: ByteSink, left: CancelSignal, isReplay: boolean) => {
    for (;;) {
      while (reader.at < chunks.length) {
        const chunk = chunks[reader.at]!
        reader.at += 1
        if (to.closed || left.aborted) return
        const wait = to.write(isReplay ? asReplay(chunk) : chunk)
        if (wait !== undefined) await wait
      }
      if (isTrimmed) trim()
      if (isOver || to.closed || left.aborted) return
      await more.promise
    }
  }
  return {
    sink: {
      get closed() {
        return gone.aborted
      },
      write(chunk) {
        chunks.push(chunk)
        bytes += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
        isTrimmed ||= bytes > MOST_BYTES
        const isTaken = taken.promise
        changed()
        if (!isTrimmed) return
        if (readers.size === 0) trim()
        else return isTaken
      },
    },
    end() {
      isOver = true
      changed()
    },
    async play(to, left, isReplay) {
      if (isTrimmed) throw idempotencyUnknown('The answer to this key is too long to be given again.')
      const reader = { at: 0 }
      readers.add(reader)
      left.addEventListener('abort', changed)
      try {
        await readOn(reader, to, left, isReplay)
      } finally {
        left.removeEventListener('abort', changed)
        readers.delete(reader)
        if (isTrimmed) trim()
      }
    },
    whole() {
      if (isTrimmed) return null
      return Buffer.concat(chunks.map((chunk) => bytesOf(asReplay(chunk))))
    },
  }
}

/** A replay costs nothing, and says so. */
function asReplay(chunk: Uint8Array | string): Uint8Array | string {
  if (typeof chunk !== 'string') return chunk
  const at = chunk.indexOf(COST)
  if (at < 0) return chunk
  const value = at + COST.length
  return `${chunk.slice(0, value)}0${chunk.slice(chunk.indexOf(',', value))}`
}

function bytesOf(chunk: Uint8Array | string): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

/** A promise and what resolves it. */
function signal(): { promise: Promise<void>; set(): void } {
  let set: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    set = resolve
  })
  return { promise, set }
}
