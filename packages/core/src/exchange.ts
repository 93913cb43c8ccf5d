import type { CancelSignal } from './cancel.js'
import type { Identity } from './options.js'

/** What a mount hands to the gateway: a plain object, since web streams cost more on Node than all our own work. */
export interface GatewayRequest {
  /** Upper case. */
  method: string
  /** Below the mount, without the query: `/v1/chat/completions`. */
  path: string
  query: URLSearchParams
  /** One header by its lower-case name; several of a name are joined with a comma. */
  header(name: string): string | undefined
  body: BodySource
  /** Aborted when the client goes away. An AbortSignal will do. */
  signal: CancelSignal
  /** The host's decision, asked once and only for a request that needs it. */
  identify(): Promise<Identity | null>
  /** Chosen by the mount's context, so that the host's own entries carry the same one. */
  requestId?: string
  /** Whom it counts for: the client as a proxy tells it that the host trusts, else the socket's; absent where none is seen. */
  readonly address?: string | undefined
  /** The mount has a path of its own, so that `GET /` and `/metrics` shadow no page of the host. */
  mounted?: boolean
}

/** Where a request's body comes from: the wire, or a parser of the host that was there before. */
export interface BodySource {
  /** A parser of the host's has read the bytes, and undone their `content-encoding`. */
  readonly isRead?: true
  /** What the host's parser has already made of the body; absent where nobody has read it. */
  readonly parsed?: unknown
  /**
   * The whole body.
   *
   * @throws HooshError `body_too_large` as soon as more than `maxBytes` have come, `client_closed` when they stop
   */
  bytes(maxBytes: number): Promise<Uint8Array>
}

/** What the gateway answers; a mount writes it out as it is. */
export interface GatewayReply {
  status: number
  /** Lower-case names, straight into `writeHead`. */
  headers: Record<string, string>
  /**
   * Pieces stand for what they are together: to join a large answer would cost more than all that was done with it.
   * A function streams: it is called once, after the headers went out, and resolves when all is written.
   */
  body: string | Uint8Array | readonly Uint8Array[] | ((sink: ByteSink) => Promise<void>)
  /** The gateway is closing: over HTTP/1 the connection is given up, so that its client's next request goes elsewhere. */
  isLast?: boolean
  /** Holds what stood behind stand-ins: nothing but its caller may keep it. */
  isPrivate?: boolean
}

/** Where the bytes of a streamed reply go. */
export interface ByteSink {
  /** Returns a promise only when the client is slower than the provider; awaiting it is the back-pressure. */
  write(chunk: Uint8Array | string): void | Promise<void>
  /** The client has gone; nothing written from now on arrives. */
  readonly closed: boolean
}
