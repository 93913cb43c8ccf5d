import { HooshError } from '../errors.js'
import type { Logger } from '../options.js'
import { type Awaitable, within } from '../time.js'
import type { AuditStore } from './store.js'

/** Lines read from the store at a time. */
const PAGE = 100
const RETRY_MS = { first: 1_000, longest: 60_000 }
/** How long one delivery may take before it counts as failed, ms. */
const LIMIT_MS = 30_000

export interface DeliveryOptions {
  readonly store: Pick<AuditStore, 'checkpoints'>
  readonly writer: string
  readonly onCheckpoint: (line: string) => Awaitable<void>
  readonly logger?: Logger
}

/**
 * Hands checkpoints to the host, in their order, one at a time, each until it is taken: at least once. They are read
 * from the store, so that a sink that is away for long costs no memory, and no call waits for it.
 */
export interface Delivery {
  /** Failed attempts since the start. */
  readonly failures: number
  /** Lines up to this epoch are none of its business: they were handed over before this process began. */
  startAfter(epoch: number): void
  /** There is something new. */
  wake(): void
  /** One last attempt at what is left; then there are no more. Resolves with whether all was taken in time. */
  close(timeoutMs: number): Promise<boolean>
}

interface State extends DeliveryOptions {
  delivered: number
  failures: number
  failuresInRow: number
  running: Promise<boolean> | null
  timer: NodeJS.Timeout | undefined
  again: boolean
  closed: boolean
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const state: State = {
    ...options,
    delivered: -1,
    failures: 0,
    failuresInRow: 0,
    running: null,
    timer: undefined,
    again: false,
    closed: false,
  }
  return {
    get failures() {
      return state.failures
    },
    startAfter: (epoch) => {
      state.delivered = Math.max(state.delivered, epoch)
    },
    wake: () => wake(state),
    close: (timeoutMs) => close(state, timeoutMs),
  }
}

function wake(state: State): void {
  state.again = true
  if (state.closed || state.running !== null || state.timer !== undefined) return
  void begin(state)
}

function begin(state: State): Promise<boolean> {
  clearTimeout(state.timer)
  state.timer = undefined
  state.running ??= deliver(state).then(
    () => true,
    (error: unknown) => failed(state, error),
  )
  return state.running
}

async function deliver(state: State): Promise<void> {
  do {
    state.again = false
    const lines = await state.store.checkpoints({ writer: state.writer, after: state.delivered, limit: PAGE })
    for (const { epoch, line } of lines) {
      await handOver(state, line)
      state.delivered = epoch
      state.failuresInRow = 0
    }
    state.again ||= lines.length === PAGE
  } while (state.again)
  state.running = null
}

async function handOver({ onCheckpoint }: State, line: string): Promise<void> {
  const taken = Promise.resolve(onCheckpoint(line)).then(() => true as const)
  if ((await within(LIMIT_MS, taken)) === null) throw tooSlow()
}

function tooSlow(): HooshError {
  return new HooshError('store_unavailable', { message: `\`onCheckpoint\` did not end within ${LIMIT_MS} ms.` })
}

function failed(state: State, error: unknown): false {
  state.running = null
  state.failures += 1
  state.failuresInRow += 1
  const { writer, failuresInRow, closed, logger } = state
  logger?.error({ err: error, writer, attempt: failuresInRow }, 'a checkpoint was not taken; will retry')
  if (closed) return false
  const delayMs = Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** (failuresInRow - 1))
  state.timer = setTimeout(() => void begin(state), delayMs).unref()
  return false
}

async function close(state: State, timeoutMs: number): Promise<boolean> {
  state.closed = true
  const all = async () => {
    await state.running
    return begin(state)
  }
  return (await within(timeoutMs, all())) ?? false
}
