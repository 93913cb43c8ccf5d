import type { GatewayReply, GatewayRequest } from '../exchange.js'
import type { Caller } from '../identity/caller.js'
import type { Engine } from '../inference/engine.js'

/**
 * Who may call a route: anyone; whoever is identified; the role `admin`; an admin or the holder of the scrape token; an
 * admin or, where the host lets users make keys, whoever has signed in with something else than a key.
 */
export type Access = 'anyone' | 'identity' | 'admin' | 'scraper' | 'owner'

/** One endpoint. It parses, calls the engine, shapes the answer. */
export type RouteDefinition = OpenRoute | GuardedRoute

interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `:name` is one segment, `*name` the rest of the path. */
  readonly path: string
  /** Served only where it shadows no page of the host: under a mount path, or with `rootRoutes`. */
  readonly isRoot?: boolean
  /** Browser tokens may call it too. */
  readonly isForPages?: boolean
  /** Costs money: it has to settle in every outcome. */
  readonly isPaid?: boolean
}

/** One that answers whoever asks, whether the gateway runs or not. */
export interface OpenRoute extends Endpoint {
  readonly access: 'anyone'
  handle(exchange: OpenExchange): Promise<GatewayReply> | GatewayReply
}

/** One that answers callers who may. */
export interface GuardedRoute extends Endpoint {
  readonly access: Exclude<Access, 'anyone'>
  handle(exchange: Exchange, engine: Engine): Promise<GatewayReply> | GatewayReply
}

/** One request that has found a route for anyone. */
export interface OpenExchange {
  readonly requestId: string
  /**
   * Null while it starts, where that takes long.
   *
   * @throws HooshError where it cannot start, or is closing: `not_ready`, `invalid_options`, `shutting_down`
   */
  engine(): Promise<Engine | null>
  /** The engine, for whom the app knows; null for everybody else, and where there is none. Never rejects, and soon. */
  engineIfKnown(): Promise<Engine | null>
}

/** One request that has found its route. */
export interface Exchange {
  readonly request: GatewayRequest
  /** Decoded segments of the path, by name. */
  readonly params: Readonly<Record<string, string>>
  readonly requestId: string
  /** The body, one JSON object, and its bytes where nobody had read it before; errors as they are answered. */
  readJson(): Promise<{ value: Record<string, unknown>; bytes: Uint8Array | null }>
  /** `NOBODY` where it is a scraper. */
  readonly caller: Caller
}

export function json(value: unknown, exchange: Pick<Exchange, 'requestId'>, status = 200): GatewayReply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-request-id': exchange.requestId },
    body: JSON.stringify(value),
  }
}

/** A path, or a name out of one, as it may stand in a message or a record. */
export function shortened(path: string): string {
  return path.length <= 100 ? path : `${path.slice(0, 100)}…`
}
