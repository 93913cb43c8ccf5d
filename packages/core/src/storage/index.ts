// What a store's author builds with: the interfaces, the rules that every store decides by, the stores in memory.
export { type Amount, type Capacity, minus, nothing, plus, sameAmount } from '../amount.js'
export { GENESIS } from '../audit/chain.js'
export { memoryPayloads } from '../audit/memory-payloads.js'
export { memoryAudit } from '../audit/memory-store.js'
export type * from '../audit/payload-store.js'
export type * from '../audit/store.js'
export {
  checkCredit,
  drawnBy,
  drawsOf,
  ended,
  isOver,
  liveCredits,
  mergedDraws,
  NO_CREDITS,
  undrawn,
} from '../budget/credits.js'
export {
  checkRefund,
  checkRepeated,
  countedBy,
  type Ending,
  expiryCharge,
  extended,
  NO_REFUNDS,
  netCharge,
  notHeld,
  type Refund,
  released,
  type Standing,
  settled,
} from '../budget/ending.js'
export { strangeEntry } from '../budget/entry-cursor.js'
export type { BookCheck, Finding, FindingCode } from '../budget/findings.js'
export { freezing } from '../budget/freezing.js'
export { budgetExceeded, checkSums, decide, type Granted, type Refused, wholeAmount } from '../budget/grant.js'
export type { HostTransaction, JoinedBudgets, JoinsTransactions } from '../budget/joining.js'
export { type LostCall, lostEvent, lostUsage, reversalOf, storedCall } from '../budget/lost.js'
export { type MemoryRateOptions, memoryRates } from '../budget/memory-rates.js'
export { type MemoryBudgetOptions, memoryBudgets } from '../budget/memory-store.js'
export type { Place, RateAnswer, RateAsk, RateStore, RateWindow, Staying } from '../budget/rates.js'
export { type SliceOptions, type Slices, slicedBudgets } from '../budget/slices/sliced-store.js'
export type * from '../budget/store.js'
export { storedTerms } from '../budget/stored-terms.js'
export type { PoolTerms } from '../budget/terms.js'
export { unknownPool } from '../budget/unknown-pool.js'
export { type Interval, windowAt } from '../budget/window.js'
export { type MemoryCacheOptions, memoryCache } from '../cache/memory-store.js'
export { type CacheStore, MOST_CACHED_BYTES } from '../cache/store.js'
export { checkOptionNames } from '../config/option-names.js'
export type * from '../cost/store.js'
export { completionTokens, noUsage, promptTokens, type TokenUsage } from '../cost/usage.js'
export { type ErrorCode, type ErrorDetails, HooshError } from '../errors.js'
export { memoryKeys } from '../identity/memory-store.js'
export type * from '../identity/store.js'
export type { Limits, Priority, Window } from '../options.js'
export type { Awaitable, Clock } from '../time.js'
export { type DiagnoseOptions, type Diagnosis, diagnose, type Explained } from './diagnose.js'
export type { Severity } from './explain.js'
export type { Storage } from './storage.js'
