import type { Clock } from '../time.js'
import { fit, type Route } from './route.js'
import type { Router } from './router.js'

/** How long what a provider said of its models is believed, ms. */
const FRESH_MS = 60_000
/** How long a provider may take to say it, ms. */
const PATIENCE_MS = 3_000

export interface ListedModel {
  readonly id: string
  /** The route that would be tried first. */
  readonly route: Route
}

type Memory = Map<Route, { at: number; ids: string[] }>

/**
 * Models by name, each once: those that enabled providers list and their routes take, and those that routes name in
 * full. A provider that does not answer is left out; patterns are no models.
 */
export function modelLister(router: Router, clock: Clock): () => Promise<ListedModel[]> {
  const memory: Memory = new Map()
  return async () => {
    const routes = router.routes.filter(({ enabled }) => enabled).sort((a, b) => a.priority - b.priority)
    const lists = await Promise.all(routes.map(async (route) => ({ route, ids: await idsOf(route, memory, clock()) })))
    const listed = new Map<string, ListedModel>()
    for (const { route, ids } of lists) {
      for (const id of ids) if (!listed.has(id)) listed.set(id, { id, route })
    }
    return [...listed.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }
}

async function idsOf(route: Route, memory: Memory, now: number): Promise<string[]> {
  const named = route.models.filter((pattern) => !pattern.includes('*'))
  const known = memory.get(route)
  if (known !== undefined && now - known.at < FRESH_MS) return [...named, ...known.ids]
  try {
    const ids = (await route.provider.models(AbortSignal.timeout(PATIENCE_MS))).filter((id) => fit(route, id) >= 0)
    memory.set(route, { at: now, ids })
    return [...named, ...ids]
  } catch {
    return named
  }
}
