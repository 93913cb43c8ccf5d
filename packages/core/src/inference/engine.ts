import type { AuditLog } from '../audit/log.js'
import type { PayloadVault } from '../audit/payload-vault.js'
import type { PoolBook } from '../budget/pool-book.js'
import type { Settings } from '../config/settings.js'
import type { OutputCounter } from '../context/output-count.js'
import type { PriceBook } from '../cost/prices.js'
import type { Policy } from '../dlp/policy.js'
import type { TokenSigner } from '../identity/browser-token.js'
import type { EventBus } from '../observability/events.js'
import type { Metrics } from '../observability/metrics.js'
import type { Logger } from '../options.js'
import type { Random } from '../random.js'
import type { ListedModel } from '../routing/model-list.js'
import type { RetryBudget } from '../routing/retry-budget.js'
import type { Route } from '../routing/route.js'
import type { Router } from '../routing/router.js'
import type { Warmth } from '../routing/warmth.js'
import type { Storage } from '../storage/storage.js'
import type { Awaitable, Clock } from '../time.js'
import type { CheaperModel } from './cheaper.js'
import type { KeyedCalls } from './keyed/keyed-calls.js'
import type { CallLimits } from './limits.js'
import type { ModelLimit } from './model-limits.js'
import type { RunningCalls } from './running.js'
import type { OpenRuns } from './runs.js'
import type { SettleRetries } from './settle-retries.js'

/** What the steps of a call work with: one gateway's parts. */
export interface Engine {
  readonly settings: Settings
  readonly router: Router
  readonly pools: PoolBook
  readonly runs: OpenRuns
  readonly storage: Storage
  readonly prices: PriceBook
  /** What is looked for in content; null where the host did not ask for it. */
  readonly dlp: Policy | null
  /** Null where the host turned the log off. */
  readonly audit: AuditLog | null
  /** What calls said; null where it is not kept, and always without a log. */
  readonly vault: PayloadVault | null
  readonly metrics: Metrics
  readonly events: EventBus
  readonly logger: Logger
  readonly running: RunningCalls
  readonly limits: CallLimits
  readonly modelLimits: readonly ModelLimit[]
  readonly cheaper: readonly CheaperModel[]
  readonly retries: SettleRetries
  readonly keyed: KeyedCalls
  readonly retryBudget: RetryBudget
  /** Null where the strategy keeps to one route anyway. */
  readonly warmth: Warmth | null
  readonly clock: Clock
  readonly ids: () => string
  /** For secrets. */
  readonly random: Random
  /** Null where the host gave no secret to sign browser tokens with. */
  readonly tokens: TokenSigner | null
  /** A random number from 0 to below 1. */
  readonly chance: () => number
  /** Whether an `Authorization` header carries the scrape token. */
  mayScrape(authorization: string | undefined): boolean
  /** Models by name, as providers list them. */
  listModels(): Promise<ListedModel[]>
  /** How output of a model is counted: never fewer tokens than its provider counts. */
  outputCounter(model: string, route: Route): Awaitable<OutputCounter>
}
