type Fields = Readonly<Record<string, unknown>>

/** The id that the call at an index had last. */
export type CallIds = Map<number, string>

/**
 * A delta as several, in which no index has two calls: some providers give every call the index 0, and only its id tells it
 * from the one before.
 */
export function callByCall(delta: unknown): readonly unknown[] {
  const calls = callsOf(delta)
  if (calls.length < 2) return [delta]
  const lists: unknown[][] = [[]]
  let ids: CallIds = new Map()
  for (const call of calls) {
    if (replaces(call, ids)) {
      lists.push([])
      ids = new Map()
    }
    note(call, ids)
    lists.at(-1)!.push(call)
  }
  if (lists.length === 1) return [delta]
  return lists.map((list, place) => (place === 0 ? { ...(delta as Fields), tool_calls: list } : { tool_calls: list }))
}

/** The indices at which a delta begins another call than the one that was there; from now on it is there. */
export function takenOver(delta: unknown, ids: CallIds): readonly number[] {
  const taken: number[] = []
  for (const call of callsOf(delta)) {
    if (replaces(call, ids)) taken.push((call as { index: number }).index)
    note(call, ids)
  }
  return taken
}

function callsOf(delta: unknown): readonly unknown[] {
  const calls = (delta as { tool_calls?: unknown } | null | undefined)?.tool_calls
  return Array.isArray(calls) ? calls : []
}

function replaces(call: unknown, ids: CallIds): boolean {
  const named = namedOf(call)
  const known = named === null ? undefined : ids.get(named.index)
  return known !== undefined && known !== named!.id
}

function note(call: unknown, ids: CallIds): void {
  const named = namedOf(call)
  if (named !== null) ids.set(named.index, named.id)
}

function namedOf(call: unknown): { index: number; id: string } | null {
  const { index, id } = (call ?? {}) as { index?: unknown; id?: unknown }
  return typeof index === 'number' && typeof id === 'string' && id !== '' ? { index, id } : null
}
