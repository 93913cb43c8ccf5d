/** What is held in a pool: mostly nothing, often one, and of a million pools none keeps a set for that. */
export type OpenHolds<T extends object> = T | Set<T> | null

export function withHold<T extends object>(open: OpenHolds<T>, held: T): OpenHolds<T> {
  if (open === null) return held
  if (open instanceof Set) return open.add(held)
  return open === held ? open : new Set([open, held])
}

export function withoutHold<T extends object>(open: OpenHolds<T>, held: T): OpenHolds<T> {
  if (!(open instanceof Set)) return open === held ? null : open
  open.delete(held)
  return open.size === 0 ? null : open
}

export function holdsOf<T extends object>(open: OpenHolds<T>): Iterable<T> {
  if (open === null) return []
  return open instanceof Set ? open : [open]
}
