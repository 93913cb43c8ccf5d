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
  usage: UsageStore
  rates: RateStore
  keys: KeyStore
  cache: CacheStore
  /** Called once before the first use; with `migrate` the schema is brought up to date, else checked. */
  open?(options: { migrate: boolean }): Awaitable<void>
  /** Called once at the end; what it was given (a pool, a database) is the host's to close. */
  close?(): Awaitable<void>
  /** One line for the startup message: `memory`, `sqlite`. */
  describe?: string
}
