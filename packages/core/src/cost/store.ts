import type { Awaitable } from '../time.js'
import type { TokenUsage } from './usage.js'

/** Usage records and their daily totals. */
export interface UsageStore {
  /** Keeps records and adds them to the totals of their day in one step; a record of a known id changes nothing. */
  record(records: readonly UsageRecord[]): Awaitable<void>

  /** Totals since the last reset, grouped by provider, route, model, user and pool. */
  totals(filter: UsageFilter): Awaitable<UsageTotal[]>

  /** Begins the totals anew; records stay. */
  reset(): Awaitable<void>
}

/** Which totals are wanted; every field given must match. */
export interface UsageFilter {
  readonly user?: string
  readonly pool?: string
  /** Days in UTC, `YYYY-MM-DD`, inclusive. */
  readonly from?: string
  readonly to?: string
}

/** One call, as it was charged. */
export interface UsageRecord {
  /** The reservation's id. */
  readonly id: string
  readonly requestId: string
  readonly at: number
  readonly user: string
  /** The first pool of the chain; `pools` has all. */
  readonly pool: string
  readonly pools: readonly string[]
  /** Provider type. */
  readonly provider: string
  readonly route: string
  readonly local: boolean
  /** As the route was asked for it. */
  readonly model: string
  readonly kind: 'chat' | 'embeddings'
  readonly stream: boolean
  readonly usage: TokenUsage
  /** `reported` by the provider, `counted` here, or `unknown`: charged by the rules of doubt. */
  readonly source: 'reported' | 'counted' | 'unknown'
  readonly nanoUsd: number
  /** Which table, version and rule priced it. */
  readonly price: string
  /** `lost`: nobody settled it in time, so it was charged what it held (see `reverses`). */
  readonly outcome: 'ok' | 'error' | 'aborted' | 'cutoff' | 'lost'
  /** 0 where it was lost. */
  readonly latencyMs: number
  /** It takes back what the record of a lost call added, since the call was settled after all: totals go down by it. */
  readonly reverses?: true
}

/** What is known of a call before it is sent. */
export type CallFacts = Pick<
  UsageRecord,
  'requestId' | 'provider' | 'route' | 'local' | 'model' | 'kind' | 'stream' | 'price'
>

/** What a user's calls of one model on one route came to. Money is in nano-USD. */
export interface UsageTotal {
  readonly provider: string
  readonly route: string
  readonly local: boolean
  readonly model: string
  readonly user: string
  readonly pool: string
  readonly requests: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly nanoUsd: number
}
