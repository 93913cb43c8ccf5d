/** What is held in a pool: mostly nothing, often one, and of a million pools none keeps a set for that. */
export type OpenHolds<T extends Leased> = T | Crowd<T> | null

interface Leased {
  readonly leaseUntil: number
}

interface Crowd<T> {
  readonly holds: Set<T>
  /** None of them is overdue before that moment. */
  calmUntil: number
}

export function withHold<T extends Leased>(open: OpenHolds<T>, held: T): OpenHolds<T> {
  if (open === null || open === held) return held
  const crowd = 'holds' in open ? open : { holds: new Set([open]), calmUntil: open.leaseUntil }
  crowd.holds.add(held)
  noteLease(crowd, held.leaseUntil)
  return crowd
}

export function withoutHold<T extends Leased>(open: OpenHolds<T>, held: T): OpenHolds<T> {
  if (open === null || !('holds' in open)) return open === held ? null : open
  open.holds.delete(held)
  return open.holds.size === 0 ? null : open
}

/** To be told when one of them has got another lease. */
export function noteLease(open: OpenHolds<Leased>, leaseUntil: number): void {
  if (open !== null && 'holds' in open) open.calmUntil = Math.min(open.calmUntil, leaseUntil)
}

/** Holds past their lease; of many, all are looked at only when one can be. */
export function overdueOf<T extends Leased>(open: OpenHolds<T>, at: number): readonly T[] {
  if (open === null) return []
  if (!('holds' in open)) return open.leaseUntil <= at ? [open] : []
  if (at < open.calmUntil) return []
  const overdue: T[] = []
  let calmUntil = Number.POSITIVE_INFINITY
  for (const held of open.holds) {
    if (held.leaseUntil <= at) overdue.push(held)
    calmUntil = Math.min(calmUntil, held.leaseUntil)
  }
  open.calmUntil = calmUntil
  return overdue
}
