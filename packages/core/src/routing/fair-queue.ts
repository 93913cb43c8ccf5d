/** Tiers, the first served first. */
export const PRIORITIES = ['critical', 'high', 'normal', 'low', 'background'] as const

/** Who waits, and how much he counts against others of his tier. */
export interface Waiter {
  readonly pool: string
  /** Share of the pool among those that wait: one of 2 gets two turns for one of the others. At least 1. */
  readonly weight: number
  readonly tier: number
}

/** A place in the queue. */
export interface Entry<Item> extends Waiter {
  readonly item: Item
  /** Virtual time at which its turn would end if all pools were served at once; the smallest is next. */
  readonly finishes: number
}

/**
 * Waiting calls: the highest tier first; within a tier pools share by weight, and calls of one pool come in the order they
 * came. One pool that sends a thousand calls does not keep another waiting for all of them.
 *
 * Self-clocked fair queueing (Golestani 1994): each call is one unit of work.
 */
export interface FairQueue<Item> {
  readonly size: number
  /** Returns the entry and how many come before it now. */
  push(waiter: Waiter, item: Item): { entry: Entry<Item>; before: number }
  /** Takes out whose turn it is; undefined where nobody waits. */
  shift(): Entry<Item> | undefined
  remove(entry: Entry<Item>): void
}

interface Tier<Item> {
  /** In the order of their turns. */
  readonly entries: Entry<Item>[]
  readonly lastOf: Map<string, number>
  clock: number
}

export function fairQueue<Item>(): FairQueue<Item> {
  const tiers = PRIORITIES.map((): Tier<Item> => ({ entries: [], lastOf: new Map(), clock: 0 }))
  const size = () => tiers.reduce((sum, { entries }) => sum + entries.length, 0)
  return {
    get size() {
      return size()
    },
    push(waiter, item) {
      const tier = tiers[waiter.tier]!
      const starts = Math.max(tier.clock, tier.lastOf.get(waiter.pool) ?? 0)
      const entry = { ...waiter, item, finishes: starts + 1 / waiter.weight }
      tier.lastOf.set(waiter.pool, entry.finishes)
      let at = tier.entries.length
      while (at > 0 && tier.entries[at - 1]!.finishes > entry.finishes) at -= 1
      tier.entries.splice(at, 0, entry)
      const above = tiers.slice(0, waiter.tier).reduce((sum, { entries }) => sum + entries.length, 0)
      return { entry, before: above + at }
    },
    shift() {
      const tier = tiers.find(({ entries }) => entries.length > 0)
      const entry = tier?.entries.shift()
      if (tier === undefined || entry === undefined) return undefined
      tier.clock = entry.finishes
      forgetIfEmpty(tier)
      return entry
    },
    remove(entry) {
      const tier = tiers[entry.tier]!
      const at = tier.entries.indexOf(entry)
      if (at >= 0) tier.entries.splice(at, 1)
      forgetIfEmpty(tier)
    },
  }
}

/** Where nobody waits nobody has had more than his share. */
function forgetIfEmpty<Item>(tier: Tier<Item>): void {
  if (tier.entries.length > 0) return
  tier.lastOf.clear()
  tier.clock = 0
}
