import type { RouteDefinition } from '../routes/route.js'

/** A route found for a method and path. */
export type Found =
  | { readonly kind: 'route'; readonly route: RouteDefinition; readonly params: Record<string, string> }
  /** The path is known, with other methods. */
  | { readonly kind: 'other-method'; readonly allow: string }
  | { readonly kind: 'unknown' }

export interface RouteTable {
  /** @param path below the base path; @param rootRoutes whether routes that could shadow a page are served */
  find(method: string, path: string, rootRoutes: boolean): Found
}

interface Row {
  readonly segments: readonly string[]
  readonly route: RouteDefinition
}

const UNKNOWN: Found = { kind: 'unknown' }

export function routeTable(routes: readonly RouteDefinition[]): RouteTable {
  const fixed = new Map<string, Map<string, Found>>()
  const open: Row[] = []
  for (const route of routes) {
    if (/[:*]/.test(route.path)) open.push({ segments: route.path.split('/'), route })
    else methodsAt(fixed, route.path).set(route.method, { kind: 'route', route, params: {} })
  }
  return {
    find(method, path, rootRoutes) {
      const asked = method === 'HEAD' ? 'GET' : method
      const methods = fixed.get(path)
      const exact = methods?.get(asked)
      if (exact !== undefined) return isServed(exact, rootRoutes) ? exact : UNKNOWN
      const rows = open
        .map((row) => ({ row, params: matched(row.segments, path) }))
        .filter(({ params }) => params !== null)
      const hit = rows.find(({ row }) => row.route.method === asked)
      if (hit !== undefined) return { kind: 'route', route: hit.row.route, params: hit.params! }
      const others = [...(methods?.values() ?? [])].filter((found) => isServed(found, rootRoutes))
      const allowed = [
        ...others.map((found) => (found.kind === 'route' ? found.route.method : '')),
        ...rows.map(({ row }) => row.route.method),
      ]
      return allowed.length === 0 ? UNKNOWN : { kind: 'other-method', allow: allow(allowed) }
    },
  }
}

function methodsAt(fixed: Map<string, Map<string, Found>>, path: string): Map<string, Found> {
  const known = fixed.get(path) ?? new Map<string, Found>()
  fixed.set(path, known)
  return known
}

function isServed(found: Found, rootRoutes: boolean): boolean {
  return found.kind === 'route' && (found.route.isRoot !== true || rootRoutes)
}

function allow(methods: readonly string[]): string {
  const all = new Set(methods)
  if (all.has('GET')) all.add('HEAD')
  return [...all].sort().join(', ')
}

/** The decoded parameters of a path; null where it does not fit, or does not decode. */
function matched(segments: readonly string[], path: string): Record<string, string> | null {
  const parts = path.split('/')
  const params: Record<string, string> = {}
  for (const [index, segment] of segments.entries()) {
    if (segment.startsWith('*')) {
      const rest = decoded(parts.slice(index).join('/'))
      if (rest === null || rest === '') return null
      params[segment.slice(1)] = rest
      return params
    }
    const part = parts[index]
    if (part === undefined) return null
    if (!segment.startsWith(':')) {
      if (segment !== part) return null
      continue
    }
    const value = decoded(part)
    if (value === null || value === '') return null
    params[segment.slice(1)] = value
  }
  return parts.length === segments.length ? params : null
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
