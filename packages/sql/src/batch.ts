import { HooshError } from '@hoosh/core/storage'

/** Most steps of one transaction: a few milliseconds of work, after which the event loop has its turn. */
const MAX_STEPS = 256

/** Runs steps in one transaction: a result or an error for each, in order. An error of one undoes none of the others. */
export type RunSteps<Step> = (steps: readonly Step[]) => Promise<readonly Outcome[]>

export type Outcome = { readonly value: unknown } | { readonly error: HooshError }

interface Waiting<Step> {
  readonly step: Step
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** Steps of concurrent calls, which share their commits: each would block the event loop for itself. */
export interface Batches<Step> {
  /** Resolves once the step is durable. */
  add(step: Step): Promise<unknown>
  /** Takes no more steps, and resolves when those taken are done. */
  close(): Promise<void>
}

export interface BatchOptions<Step> {
  readonly run: RunSteps<Step>
  /** Whether a step must not share its transaction. */
  alone(step: Step): boolean
  /** Whether an error is the database's, so that each step on its own would meet it too. */
  isGeneral(error: unknown): boolean
  /** Whether the database is away, so that steps that still wait are refused with those that met it. */
  isAway(error: unknown): boolean
}

/** How long the next transaction waits for company where the last one had some, ms. */
const LINGER_MS = 1

/**
 * Begins a transaction with whatever has come up to the end of the event loop's turn: a lone step hardly waits. Where
 * calls come side by side it waits a moment longer, since a commit costs as much for many steps as for a few.
 */
export function batches<Step>(options: BatchOptions<Step>): Batches<Step> {
  const waiting: Waiting<Step>[] = []
  let running: Promise<void> | undefined
  let closed = false

  let lastSize = 1

  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      if (lastSize > 1 && !closed) await new Promise((resolve) => setTimeout(resolve, LINGER_MS))
      // A turn of its own: the host's continuations that are due now must not end up inside of our transaction.
      await new Promise((resolve) => setImmediate(resolve))
      const batch = waiting.splice(0, sizeOf(waiting, options.alone))
      lastSize = batch.length
      await runBatch(options, batch, waiting)
    }
    running = undefined
  }

  return {
    add(step) {
      if (closed) return Promise.reject(new HooshError('store_unavailable', { message: 'The SQL storage is closed.' }))
      return new Promise((resolve, reject) => {
        waiting.push({ step, resolve, reject })
        running ??= work()
      })
    },
    async close() {
      closed = true
      await running
    },
  }
}

function sizeOf<Step>(waiting: readonly Waiting<Step>[], alone: (step: Step) => boolean): number {
  const first = waiting.findIndex(({ step }) => alone(step))
  if (first === 0) return 1
  return Math.min(MAX_STEPS, first === -1 ? waiting.length : first)
}

async function runBatch<Step>(
  options: BatchOptions<Step>,
  batch: readonly Waiting<Step>[],
  waiting: Waiting<Step>[],
): Promise<void> {
  try {
    const outcomes = await options.run(batch.map(({ step }) => step))
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[index]!
      if ('error' in outcome) reject(outcome.error)
      else resolve(outcome.value)
    }
  } catch (error) {
    if (options.isAway(error)) for (const { reject } of waiting.splice(0)) reject(error)
    if (batch.length === 1 || options.isGeneral(error)) {
      for (const { reject } of batch) reject(error)
      return
    }
    // One step may be what the database cannot take; the others shall not fail with it.
    for (const one of batch) await runBatch(options, [one], waiting)
  }
}
