import type { BudgetStore } from '@hoosh/core/storage'
import fc from 'fast-check'
import { commands } from './model-commands.js'
import { newRun } from './model-runs.js'

type Method = (...args: unknown[]) => unknown

/** A place where whoever comes along waits for a scheduler, as long as there is one. */
export interface Turnstile {
  /** An object whose methods of these names wait before they begin and before they answer; its others do not. */
  around<Target extends object>(target: Target, names: readonly string[]): Target
  /** Runs with the order of all that waits here in a scheduler's hands. */
  during(scheduler: fc.Scheduler, work: () => Promise<void>): Promise<void>
}

export function turnstile(): Turnstile {
  let scheduler: fc.Scheduler | null = null
  const turn = async () => {
    await scheduler?.schedule(Promise.resolve())
  }
  const waiting =
    (run: Method): Method =>
    async (...args) => {
      await turn()
      const answer = await run(...args)
      await turn()
      return answer
    }
  return {
    around: (target, names) =>
      new Proxy(target, {
        get(_, name) {
          const value: unknown = Reflect.get(target, name, target)
          if (typeof value !== 'function') return value
          const bound = value.bind(target) as Method
          return names.includes(String(name)) ? waiting(bound) : bound
        },
      }),
    async during(one, work) {
      scheduler = one
      try {
        await one.waitFor(work())
      } finally {
        scheduler = null
      }
    },
  }
}

/** A ledger as the commands meet it, and as who looks at it afterwards. */
export interface Handles {
  readonly handles: readonly BudgetStore[]
  readonly observer: BudgetStore
}

/** A store whose operations wait as a whole: one that does them in one go cannot be interrupted in the middle. */
export function operationsOf(store: BudgetStore, gate: Turnstile): BudgetStore {
  return gate.around(store, ['reserve', 'extend', 'renew', 'settle', 'release', 'expire', 'define', 'find'])
}

/**
 * Any sequence of commands on one ledger, some of them at once, leaves what the model says, whichever way the scheduler lets
 * their steps interleave.
 *
 * @param handles whose steps wait at the turnstile
 * @param observer whose steps do not: a look after the commands is not of the race
 */
export const interleaved = ({ handles, observer }: Handles, clock: { now: number }, gate: Turnstile) => {
  const next = newRun(handles, clock)
  return fc.asyncProperty(fc.scheduler(), commands, async (scheduler, cmds) => {
    const { setup, end } = next()
    try {
      const real = { ...setup.real, observer }
      await gate.during(scheduler, () => fc.asyncModelRun(() => ({ ...setup, real }), cmds))
    } finally {
      await end()
    }
  })
}
