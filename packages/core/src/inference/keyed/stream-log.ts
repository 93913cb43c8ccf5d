import { MOST_CACHED_BYTES } from '../../cache/store.js'
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

/** The comment with the bill, which the gateway writes as one string: docs/api.md. */
const COST = ': hoosh {"cost_micro_usd":'

interface Reader {
  at: number
}

interface Log {
  chunks: (Uint8Array | string)[]
  bytes: number
  isOver: boolean
  /** It is too long: what everybody has is forgotten. */
  isTrimmed: boolean
  readonly readers: Set<Reader>
  /** Set when there is something new to read, or nothing more will come. */
  more: Signal
  /** Set when everybody has everything. */
  taken: Signal
}

/** @param gone the call was given up: nothing that is written now is read */
export function streamLog(gone: CancelSignal): StreamLog {
  const log: Log = {
    chunks: [],
    bytes: 0,
    isOver: false,
    isTrimmed: false,
    readers: new Set(),
    more: signal(),
    taken: signal(),
  }
  return {
    sink: {
      get closed() {
        return gone.aborted
      },
      write: (chunk) => write(log, chunk),
    },
    end() {
      log.isOver = true
      tellMore(log)
    },
    play: (to, left, isReplay) => play(log, to, left, isReplay),
    whole: () => (log.isTrimmed ? null : Buffer.concat(log.chunks.map((chunk) => bytesOf(asReplay(chunk))))),
  }
}

/**
 * The provider is told to wait only beyond what a cache keeps: below it all is kept anyway, however slow a reader is. Beyond it
 * readers are in step with the provider, and nobody can join.
 */
function write(log: Log, chunk: Uint8Array | string): Promise<void> | undefined {
  log.chunks.push(chunk)
  log.bytes += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
  log.isTrimmed ||= log.bytes > MOST_CACHED_BYTES
  const { taken } = log
  tellMore(log)
  if (!log.isTrimmed) return undefined
  trim(log)
  return log.taken === taken ? taken.promise : undefined
}

function tellMore(log: Log): void {
  const { more } = log
  log.more = signal()
  more.set()
}

function trim(log: Log): void {
  for (const reader of log.readers) if (reader.at < log.chunks.length) return
  log.chunks = []
  for (const reader of log.readers) reader.at = 0
  const { taken } = log
  log.taken = signal()
  taken.set()
}

async function play(log: Log, to: ByteSink, left: CancelSignal, isReplay: boolean): Promise<void> {
  if (log.isTrimmed) throw idempotencyUnknown('The answer to this key is too long to be given again.')
  const reader = { at: 0 }
  const woken = () => tellMore(log)
  log.readers.add(reader)
  left.addEventListener('abort', woken)
  try {
    await readOn(log, reader, to, left, isReplay)
  } finally {
    left.removeEventListener('abort', woken)
    log.readers.delete(reader)
    if (log.isTrimmed) trim(log)
  }
}

async function readOn(log: Log, reader: Reader, to: ByteSink, left: CancelSignal, isReplay: boolean): Promise<void> {
  for (;;) {
    while (reader.at < log.chunks.length) {
      if (to.closed || left.aborted) return
      const chunk = log.chunks[reader.at]!
      const wait = to.write(isReplay ? asReplay(chunk) : chunk)
      if (wait !== undefined) await wait
      reader.at += 1
    }
    if (log.isTrimmed) trim(log)
    if (log.isOver || to.closed || left.aborted) return
    await log.more.promise
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
interface Signal {
  readonly promise: Promise<void>
  set(): void
}

function signal(): Signal {
  let set: () => void = () => undefined
  const promise = new Promise<void>((resolve) => {
    set = resolve
  })
  return { promise, set }
}
