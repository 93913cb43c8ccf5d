import type { CacheStore } from '../cache/store.js'
import type { CancelSignal } from '../cancel.js'
import type { HooshError } from '../errors.js'

/**
 * One configured provider. Whatever it speaks itself, it takes and gives OpenAI's dialect: what comes out of a reply's
 * body is the bytes of a chat completion, of its SSE events, or of an embeddings answer.
 */
export interface Provider {
  /** When a call may be sent again, where the provider asked to be left alone or refused its keys; none for the demo. */
  readonly rest?: Rest
  /** Asks for a plain answer and resolves when all of it is there, or with what went wrong. Never throws. */
  send(request: UpstreamRequest): Promise<UpstreamAnswer | UpstreamFailure>
  /** Asks for a stream and resolves when its head is there, or with what went wrong. Never throws. */
  stream(request: UpstreamRequest): Promise<UpstreamReply | UpstreamFailure>
  /** A text of this provider without the secrets of its configuration, and without anything that looks like a key. */
  redact(text: string): string
  /** Ids of the models it has now; throws a HooshError where it cannot tell. */
  models(signal: AbortSignal): Promise<string[]>
  /** Of a server that keeps its models itself. */
  readonly library?: ModelLibrary
  /** Of a server that trains models. */
  readonly training?: TrainingServer
  /** Closes its connections. */
  close(): Promise<void>
}

/** What an operator does with the models of a server. Neither throws. */
export interface ModelLibrary {
  /** Fetches a model; the answer is how far it is, one JSON text a line. Ends with the signal. */
  pull(model: string, signal: CancelSignal): Promise<UpstreamReply | UpstreamFailure>
  /** Forgets a model. */
  remove(model: string, signal: CancelSignal): Promise<UpstreamAnswer | UpstreamFailure>
}

/** What an operator asks a server that trains models; answers are its own JSON. Neither throws. */
export interface TrainingServer {
  /** How far a job is. */
  status(job: string, signal: CancelSignal): Promise<UpstreamAnswer | UpstreamFailure>
  /** Has it bring its catalogue of models up to date. */
  syncCatalog(signal: CancelSignal): Promise<UpstreamAnswer | UpstreamFailure>
}

/** A route that is left alone though it works. */
export interface Rest {
  /** On the gateway's clock; past while it may be asked. */
  readonly until: number
  /** Its rates are used up, or none of its keys is accepted. */
  readonly why: 'limited' | 'refused'
  /** 401, 402 and 403 in a row, of the key that has seen the fewest. */
  readonly refusals: number
}

export interface UpstreamRequest {
  readonly kind: 'chat' | 'embeddings'
  /** The model as this provider is asked for it; the same as in `body` and `params`. */
  readonly model: string
  /** The request in OpenAI's dialect, ready for the wire. */
  readonly body: Uint8Array | string
  /** The same request parsed, for providers that translate. */
  readonly params: Readonly<Record<string, unknown>>
  readonly requestId: string
  /** Whose call it is, for what is kept in `cache`. */
  readonly user: string
  /** For what must survive between two calls of a tool loop; nothing is kept without. */
  readonly cache?: CacheStore
  /** What the provider cannot do is left out and told in `dropped`, rather than refused. */
  readonly dropUnsupported?: boolean
  /** Aborts the attempt: the socket is closed at once, and once the head has come nothing more is delivered. */
  readonly signal: CancelSignal
  readonly firstByteMs: number
  readonly idleMs: number
}

/** A plain answer, all of it. */
export interface UpstreamAnswer {
  readonly ok: true
  readonly bytes: Buffer
  /** Fields of the request that were left out, since this provider cannot do what they ask. */
  readonly dropped?: readonly string[]
}

/** A stream with its events still to come. */
export interface UpstreamReply {
  readonly ok: true
  readonly body: UpstreamBody
  /** Fields of the request that were left out, since this provider cannot do what they ask. */
  readonly dropped?: readonly string[]
}

/**
 * An answer being received: pushed, so that an event costs no promise; `pause` is the back-pressure. Nothing is delivered
 * while paused, and silence then counts as ours, not the provider's.
 */
export interface UpstreamBody {
  /** Called once. What came before is handed over at once or soon. */
  start(consumer: BodyConsumer): void
  pause(): void
  resume(): void
  /** Closes the connection at once; nothing is delivered any more. */
  abort(): void
}

/** `end` or `fail` comes last, exactly once, and never after `abort`. */
export interface BodyConsumer {
  data(chunk: Uint8Array): void
  end(): void
  /** The answer broke off: `provider_error` (reset, garbage), `first_byte_timeout`, `idle_timeout`. */
  fail(error: HooshError): void
}

/** Why there is no answer. */
export interface UpstreamFailure {
  readonly ok: false
  /** As the caller may see it: `provider_*`, `connect_timeout`, `first_byte_timeout`, `client_closed` (aborted by us). */
  readonly error: HooshError
  /** Another candidate may do better. */
  readonly retryable: boolean
  /**
   * The provider may charge for it. False only where connecting, DNS or TLS failed, for a 4xx before a body, a 429,
   * and a 5xx with a JSON error body.
   */
  readonly mayBill: boolean
  /** Nothing was sent: what is asked for cannot be said to this provider. It counts as no attempt. */
  readonly unsent?: boolean
  /** What had come of a plain answer before it broke off: output that may be billed. */
  readonly received?: Buffer
  /** The connection went away before anything was sent on it; another one may do. */
  readonly connectionLost?: boolean
  /** The route has another key, which this answer says nothing about. */
  readonly anotherKey?: boolean
  /** What its `Retry-After` says. */
  readonly retryAfterMs?: number
  /** The provider is not to blame (a 4xx, an abort): its circuit does not count it. */
  readonly blameless: boolean
}
