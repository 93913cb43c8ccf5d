import { type BudgetStore, nothing } from '@hoosh/core/storage'
import fc from 'fast-check'
import type { Model } from './model.js'
import { commands, IDS, type Real } from './model-commands.js'

const START = Date.UTC(2026, 10, 24, 10, 59)
const { HOOSH_LONG, HOOSH_SEED } = process.env

/** A failure prints its seed; with that in HOOSH_SEED it comes again. */
export const SEQUENCES = {
  numRuns: HOOSH_LONG === undefined ? 200 : 10_000,
  ...(HOOSH_SEED !== undefined && { seed: Number(HOOSH_SEED) }),
}

/** 10,000 sequences take minutes on a store that is a server, and more on a machine that does other things too. */
export const SEQUENCES_MS = 7_200_000

const termsOf = (tokens: number, window: 'hour' | 'week' | null) => {
  return { capacity: { tokens }, window, timeZone: 'UTC', unpriced: 'refuse' as const }
}

/** A ledger for each run, empty as far as the run can see. */
const started = (
  handles: readonly BudgetStore[],
  clock: { now: number },
  run: string,
): { model: Model; real: Real } => {
  clock.now = START
  const templates = { lifetime: termsOf(90, null), hourly: termsOf(60, 'hour'), weekly: termsOf(75, 'week') }
  return {
    model: {
      now: START,
      overrides: new Map(),
      templates: new Map(),
      reservations: new Map(),
      entries: [],
      credits: [],
      ends: new Map(),
    },
    real: { handles, clock, templates, run },
  }
}

/** Any sequence of commands leaves a new ledger as the model says. */
export const onNewLedgers = (make: (clock: () => number) => BudgetStore) =>
  fc.asyncProperty(commands, async (cmds) => {
    const clock = { now: START }
    const store = make(() => clock.now)
    await fc.asyncModelRun(() => started([store], clock, ''), cmds)
  })

/**
 * Runs on one ledger, each with names of its own.
 *
 * @param handles on it, as several processes have them
 * @param clock of its leases
 */
export const newRun = (handles: readonly BudgetStore[], clock: { now: number }) => {
  let run = 0
  return () => {
    const setup = started(handles, clock, `${run++}:`)
    return {
      setup,
      /** What a run leaves open must not be overdue in the next. */
      end: async () => {
        await Promise.allSettled(IDS.map(async (id) => handles[0]!.settle(setup.real.run + id, nothing)))
      },
    }
  }
}

/** The same on one ledger for all sequences. */
export const onOneLedger = (handles: readonly BudgetStore[], clock: { now: number }) => {
  const next = newRun(handles, clock)
  return fc.asyncProperty(commands, async (cmds) => {
    const { setup, end } = next()
    try {
      await fc.asyncModelRun(() => setup, cmds)
    } finally {
      await end()
    }
  })
}
