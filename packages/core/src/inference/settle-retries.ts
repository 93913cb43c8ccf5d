import { HooshError } from '../errors.js'
import type { Logger } from '../options.js'

/** Steps that wait for their store; more than these are given up and logged. */
const MAX_WAITING = 10_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000

/** Ends of holds that the store could not take: repeated with their own id until it does, which is always safe. */
export interface SettleRetries {
  /** @param settle resolves to false where it has to be done once more, though the store has answered */
  add(id: string, settle: () => Promise<boolean>): void
  /** Whether the end of this hold waits. */
  has(id: string): boolean
  readonly waiting: number
  /** One more try of everything; what is left is logged. */
  close(): Promise<void>
}

type Waiting = Map<string, () => Promise<boolean>>

export function settleRetries(logger: Logger): SettleRetries {
  const waiting: Waiting = new Map()
  let pauseMs = FIRST_PAUSE_MS
  let timer: NodeJS.Timeout | undefined
  const schedule = () => {
    if (timer !== undefined || waiting.size === 0) return
    timer = setTimeout(async () => {
      const isBack = await tryAll(waiting, logger, 'more follow')
      pauseMs = isBack ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
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
    has: (id) => waiting.has(id),
    get waiting() {
      return waiting.size
    },
    async close() {
      clearTimeout(timer)
      await tryAll(waiting, logger, 'the last')
      for (const id of waiting.keys()) logger.error({ reservation: id }, 'settle could not be written before the end')
    },
  }
}

/** @returns whether the store has answered any of them */
async function tryAll(waiting: Waiting, logger: Logger, round: 'more follow' | 'the last'): Promise<boolean> {
  let isBack = false
  for (const [id, settle] of [...waiting]) {
    try {
      const isDone = await settle()
      if (isDone || round === 'the last') waiting.delete(id)
      isBack = true
    } catch (err) {
      if (!(err instanceof HooshError)) continue
      // The store is still away: the others would fail too.
      if (err.code === 'store_unavailable') return isBack
      waiting.delete(id)
      isBack = true
      logger.error({ reservation: id, err }, 'settle given up: the store will never take it')
    }
  }
  return isBack
}
