import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import type { Amount } from '../amount.js'
import type { Identity } from '../options.js'
import type { Awaitable } from '../time.js'
import { isTooSmall, leftOf } from './grant.js'
import type { BudgetStore, PoolAsk, PoolState } from './store.js'
import type { PoolTerms } from './terms.js'

/** Pools remembered as scarce or not. */
const REMEMBERED_POOLS = 10_000

/** What this process knows of pools without asking the store: terms, overrides, and which of them were scarce. */
export interface PoolBook {
  /** The host's template for each pool; null where none matches. */
  asksFor(names: readonly string[], identity: Identity): Awaitable<PoolAsk[]>
  /** The terms in force, as far as known here: an override made by another process counts after `refresh`. */
  effective(ask: PoolAsk): PoolTerms | null
  /** Takes a fresh look at the overrides. */
  refresh(): Promise<void>
  /** Whether an override is known of a pool whose name is such a one. */
  isAnyOverridden(isSought: (name: string) => boolean): boolean
  noteOverride(name: string, terms: PoolTerms | null): void
  /** The terms that a store has told with a grant, which another process may have set or taken away since the last look. */
  noteTerms(asks: readonly PoolAsk[], told: readonly PoolState[]): void
  /** Whether a call's last look at one of these pools found it scarce. */
  wasScarce(pools: readonly string[]): boolean
  /** The same; of a pool that was not looked at, whether it is too small for `plenty`. */
  isScarce(asks: readonly PoolAsk[], plenty: Amount): boolean
  noteScarce(pools: readonly string[], scarce: boolean): void
}

export function poolBook(
  termsFor: (name: string, identity: Identity) => Awaitable<PoolTerms | null>,
  store: Pick<BudgetStore, 'overrides'>,
): PoolBook {
  let overrides = new Map<string, PoolTerms>()
  const scarcity = new LRUCache<string, boolean>({ max: REMEMBERED_POOLS })
  const effective = (ask: PoolAsk) => overrides.get(ask.name) ?? ask.terms
  const isSmall = (ask: PoolAsk, plenty: Amount) => {
    const terms = effective(ask)
    return terms !== null && isTooSmall(terms, plenty)
  }
  const noteOverride = (name: string, terms: PoolTerms | null) => {
    if (terms === null) overrides.delete(name)
    else overrides.set(name, terms)
    scarcity.delete(name)
  }
  return {
    asksFor: (names, identity) => asksFor(termsFor, names, identity),
    effective,
    async refresh() {
      overrides = new Map((await store.overrides()).map(({ name, terms }) => [name, terms]))
    },
    isAnyOverridden(isSought) {
      for (const name of overrides.keys()) if (isSought(name)) return true
      return false
    },
    noteOverride,
    noteTerms(asks, told) {
      for (const { name, terms } of told) {
        const ask = asks.find((asked) => asked.name === name)
        if (ask === undefined || isSame(terms, effective(ask))) continue
        noteOverride(name, isSame(terms, ask.terms) ? null : terms)
      }
    },
    wasScarce: (pools) => pools.some((pool) => scarcity.get(pool) === true),
    isScarce: (asks, plenty) => asks.some((ask) => scarcity.get(ask.name) ?? isSmall(ask, plenty)),
    noteScarce(pools, scarce) {
      for (const pool of pools) scarcity.set(pool, scarce)
    },
  }
}

/** Nearly always the same object. */
function isSame(terms: PoolTerms, others: PoolTerms | null): boolean {
  return terms === others || isDeepStrictEqual(terms, others)
}

function asksFor(
  termsFor: (name: string, identity: Identity) => Awaitable<PoolTerms | null>,
  names: readonly string[],
  identity: Identity,
): Awaitable<PoolAsk[]> {
  const asks: PoolAsk[] = []
  for (const [index, name] of names.entries()) {
    const terms = termsFor(name, identity)
    if (terms instanceof Promise) return restLater(termsFor, names, identity, asks, index, terms)
    asks.push({ name, terms })
  }
  return asks
}

async function restLater(
  termsFor: (name: string, identity: Identity) => Awaitable<PoolTerms | null>,
  names: readonly string[],
  identity: Identity,
  asks: PoolAsk[],
  index: number,
  terms: Promise<PoolTerms | null>,
): Promise<PoolAsk[]> {
  asks.push({ name: names[index]!, terms: await terms })
  for (const name of names.slice(index + 1)) asks.push({ name, terms: await termsFor(name, identity) })
  return asks
}

/** What the tightest of the pools has left, by unit; a unit that none caps is absent. Never below 0. */
export function tightestLeft(pools: readonly PoolState[]): { tokens?: number; nanoUsd?: number } {
  let tokens = Infinity
  let nanoUsd = Infinity
  for (const pool of pools) {
    tokens = Math.min(tokens, leftOf(pool, 'tokens'))
    nanoUsd = Math.min(nanoUsd, leftOf(pool, 'nanoUsd'))
  }
  const left: { tokens?: number; nanoUsd?: number } = {}
  if (tokens !== Infinity) left.tokens = Math.max(0, tokens)
  if (nanoUsd !== Infinity) left.nanoUsd = Math.max(0, nanoUsd)
  return left
}
