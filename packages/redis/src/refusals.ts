import { budgetExceeded, HooshError, notHeld, type PoolState, unknownPool, wholeAmount } from '@hoosh/core/storage'
import { otherSchema, type Reply } from './server.js'

const UNIT = { t: 'tokens', n: 'nanoUsd' } as const

/** What a step was refused by, where its answer is a refusal. */
export interface RefusedStep {
  readonly id: string
  readonly maxOpen?: number | undefined
  /** The clock that a refusal's wait is counted on. */
  readonly now: number
  stateOf(row: unknown, at: number): PoolState
}

/**
 * The error that an answer stands for; null where it is no refusal.
 *
 * @throws HooshError where a rule of core finds the same and says it better
 */
export function refusalOf([word, ...rest]: Reply, step: RefusedStep): HooshError | null {
  switch (word) {
    case 'schema':
      return otherSchema(String(rest[0]))
    case 'none':
      return notHeld(step.id)
    case 'many':
      return new HooshError('too_many_reservations', {
        message: `${step.maxOpen} of your reservations are open, the most there may be; settle or release some first.`,
      })
    case 'unknown':
      return unknownPool(String(rest[0]))
    case 'late':
      return new HooshError('store_unavailable', { message: 'Redis answered too late; try again.' })
    case 'frozen': {
      const [at, states] = rest as [unknown, unknown[]]
      const index = Number(at) - 1
      return budgetExceeded(
        { granted: false, tightest: step.stateOf(states[index], index), unit: 'tokens', needed: 0 },
        step.now,
      )
    }
    case 'exceeded': {
      const [at, unit, needed, states] = rest as [unknown, keyof typeof UNIT, unknown, unknown[]]
      const index = Number(at) - 1
      const tightest = step.stateOf(states[index], index)
      const refused = { granted: false, tightest, unit: UNIT[unit], needed: Number(needed) } as const
      return budgetExceeded(refused, step.now)
    }
    case 'fraction':
      wholeAmount({ tokens: 0, nanoUsd: 0, [UNIT[rest[0] as keyof typeof UNIT]]: Number.NaN })
      return null
    case 'beyond': {
      const unit = UNIT[rest[0] as keyof typeof UNIT]
      const message = `Pool "${String(rest[1])}" cannot count beyond 2^53 - 1 in ${unit}.`
      return new HooshError('invalid_request', { message, details: { param: unit } })
    }
    default:
      return null
  }
}
