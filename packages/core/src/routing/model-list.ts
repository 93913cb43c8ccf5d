import type { Clock } from '../time.js'
import { fit, type Route } from './route.js'
import type { Router } from './router.js'

/** How long what a provider said of its models is believed, ms. */
const FRESH_MS = 60_000
/** How long one that did not say is not asked again, ms. */
const SILENT_MS = 10_000
/** How long a provider may take to say it, ms. */
const PATIENCE_MS = 3_000

export interface ListedModel {
  readonly id: string
  /** The route that would be tried first. */
  readonly route: Route
}

/** What a route's provider said last, when it was asked, and the answer that is on its way. */
interface Known {
  ids: readonly string[]
  askAgainAt: number
  asking: Promise<void> | null
}

type Memory = Map<Route, Known>

/**
 * Models by name, each once: those that enabled providers list and their routes take, and those that routes name in
 * full. All are asked at once, for as long as one may take; one that does not answer counts with what it said last, and is
 * left alone for a moment. Patterns are no models.
 */
export function modelLister(router: Router, clock: Clock): () => Promise<ListedModel[]> {
  const memory: Memory = new Map()
  return async () => {
    const routes = router.routes.filter(({ enabled }) => enabled).sort((a, b) => a.priority - b.priority)
    const lists = await Promise.all(routes.map(async (route) => ({ route, ids: await idsOf(route, memory, clock) })))
    const listed = new Map<string, ListedModel>()
    for (const { route, ids } of lists) {
      for (const id of ids) if (!listed.has(id)) listed.set(id, { id, route })
    }
    return [...listed.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }
}

async function idsOf(route: Route, memory: Memory, clock: Clock): Promise<string[]> {
  const named = route.models.filter((pattern) => !pattern.includes('*'))
  const known = memory.get(route) ?? { ids: [], askAgainAt: 0, asking: null }
  memory.set(route, known)
  // Whoever comes while it is being asked waits for the same answer.
  if (clock() >= known.askAgainAt) known.asking ??= asked(route, known, clock)
  if (known.asking !== null) await known.asking
  return [...named, ...known.ids]
}

async function asked(route: Route, known: Known, clock: Clock): Promise<void> {
  try {
    const ids = await route.provider.models(AbortSignal.timeout(PATIENCE_MS))
    known.ids = ids.filter((id) => fit(route, id) >= 0)
    known.askAgainAt = clock() + FRESH_MS
  } catch {
    known.askAgainAt = clock() + SILENT_MS
  } finally {
    known.asking = null
  }
}
