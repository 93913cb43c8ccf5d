import { setImmediate as nextTurn } from 'node:timers/promises'

/** What is looked at from its beginning to its end, again and again. Yields where others may have a turn: true where a step ends. */
export type Steps = AsyncGenerator<boolean, void>

/** A look at everything, in steps. */
export interface Pass {
  /** The next step; after the last one it begins anew, as it does after a failure. Resolves with whether it was the last. */
  step(signal?: AbortSignal): Promise<boolean>
  /** All of it at once, whatever the steps have seen. Ends early where the signal is aborted. */
  whole(signal?: AbortSignal): Promise<void>
}

export function createPass(begin: () => Steps): Pass {
  let steps = begin()
  return {
    async step(signal) {
      try {
        const isOver = await walk(steps, true, signal)
        if (isOver) steps = begin()
        return isOver
      } catch (error) {
        steps = begin()
        throw error
      }
    },
    async whole(signal) {
      await walk(begin(), false, signal)
    },
  }
}

/** @returns whether the end was reached */
async function walk(steps: Steps, isOneStep: boolean, signal: AbortSignal | undefined): Promise<boolean> {
  while (signal?.aborted !== true) {
    const { done, value } = await steps.next()
    if (done === true) return true
    if (isOneStep && value) return false
    await nextTurn()
  }
  return false
}
