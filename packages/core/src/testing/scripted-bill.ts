/** One call as the provider accounts for it. Live: it grows while a stream is written. */
export interface BilledAttempt {
  readonly model: string
  readonly stream: boolean
  /** The limit per choice that the request named; null for none. */
  readonly limit: number | null
  promptTokens: number
  /** Output tokens of all choices that were made, whether or not the client stayed to read them. */
  completionTokens: number
  status: number
  /** How the answer ended. */
  outcome: 'running' | 'complete' | 'refused' | 'client-closed' | 'broken-off'
}

/** What the provider would write on its invoice. */
export interface Bill {
  readonly attempts: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly totalTokens: number
  readonly perAttempt: readonly BilledAttempt[]
}

/** A bill that sums up its attempts whenever it is read. */
export function billOf(perAttempt: readonly BilledAttempt[]): Bill {
  const sum = (field: 'promptTokens' | 'completionTokens') => perAttempt.reduce((all, one) => all + one[field], 0)
  return {
    perAttempt,
    get attempts() {
      return perAttempt.length
    },
    get promptTokens() {
      return sum('promptTokens')
    },
    get completionTokens() {
      return sum('completionTokens')
    },
    get totalTokens() {
      return sum('promptTokens') + sum('completionTokens')
    },
  }
}
