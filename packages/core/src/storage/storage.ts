import type { PayloadStore } from '../audit/payload-store.js'
import type { AuditStore } from '../audit/store.js'
import type { RateStore } from '../budget/rates.js'
import type { BudgetStore } from '../budget/store.js'
import type { CacheStore } from '../cache/store.js'
import type { UsageStore } from '../cost/store.js'
import type { KeyStore } from '../identity/store.js'
import type { Awaitable } from '../time.js'

/** Everything the gateway keeps. Each store stands alone, so a host may mix them: `{ ...sqlStorage(db), rates }`. */
export interface Storage {
  budgets: BudgetStore
  audit: AuditStore
  /** Used where `audit.payloads` is on. */
  payloads: PayloadStore
  usage: UsageStore
  rates: RateStore
  keys: KeyStore
  cache: CacheStore
  /** Called once before the first use; with `migrate` the schema is brought up to date, else checked. */
  open?(options: { migrate: boolean }): Awaitable<void>
  /**
   * Forgets what is old, called by every process every `budget.sweepMs`: bounded, and harmless at any time, many at once.
   *
   * @param now the gateway's clock
   */
  sweep?(now: number): Awaitable<void>
  /** Called once at the end; what it was given (a pool, a database) is the host's to close. */
  close?(): Awaitable<void>
  /** One line for the startup message: `memory`, `sqlite`. */
  describe?: string
}
