import { HooshError } from '../errors.js'
import type { Logger } from '../options.js'

/** Settles that wait for their store; more than these are given up and logged. */
const MAX_WAITING = 10_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000

/** Settles that the store could not take: repeated with their own id until it does, which is always safe. */
export interface SettleRetries {
  add(id: string, settle: () => Promise<void>): void
  readonly waiting: number
  /** One more try of everything; what is left is logged. */
  close(): Promise<void>
}

export function settleRetries(logger: Logger): SettleRetries {
  const waiting = new Map<string, () => Promise<void>>()
  let pauseMs = FIRST_PAUSE_MS
  let timer: NodeJS.Timeout | undefined
  const schedule = () => {
    if (timer !== undefined || waiting.size === 0) return
    timer = setTimeout(async () => {
      const before = waiting.size
      await tryAll(waiting, logger)
      pauseMs = waiting.size < before ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
      timer = undefined
      schedule()
    }, pauseMs)
    timer.unref()
  }
  return {
    add(id, settle) {
      if (waiting.size >= MAX_WAITING) {
        logger.error({ reservation: id }, 'settle given up: too many wait for the store; its lease will be charged')
        return
      }
      waiting.set(id, settle)
      schedule()
    },
    get waiting() {
      return waiting.size
    },
    async close() {
      clearTimeout(timer)
      await tryAll(waiting, logger)
      for (const id of waiting.keys()) logger.error({ reservation: id }, 'settle could not be written before the end')
    },
  }
}

async function tryAll(waiting: Map<string, () => Promise<void>>, logger: Logger): Promise<void> {
  for (const [id, settle] of [...waiting]) {
    try {
      await settle()
      waiting.delete(id)
    } catch (err) {
      if (!(err instanceof HooshError)) continue
      // The store is still away: the others would fail too.
      if (err.code === 'store_unavailable') return
      waiting.delete(id)
      logger.error({ reservation: id, err }, 'settle given up: the store will never take it')
    }
  }
}
