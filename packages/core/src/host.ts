import type { Capacity } from './amount.js'
import type { AuditDetails, AuditEntry } from './audit/store.js'
import type { HostTransaction } from './budget/joining.js'
import type { PoolSnapshot } from './budget/snapshot.js'
import type { Entry } from './budget/store.js'
import type { CancelSignal } from './cancel.js'
import type { GatewayReply, GatewayRequest } from './exchange.js'
import type { PageHeaders } from './identity/browser-token.js'
import type { Identity } from './options.js'

/** One gateway, which any number of mounts share. Made by `createGateway`; inert until its first request. */
export interface Gateway {
  /**
   * Whether a request is hoosh's: a route it knows, below its base path. A known path with another method is hoosh's
   * too (405); `OPTIONS` only where CORS is configured.
   */
  serves(request: Pick<GatewayRequest, 'method' | 'path' | 'mounted'>): boolean
  /** Answers a request; never rejects. What it does not serve is a JSON 404. */
  handle(request: GatewayRequest): Promise<GatewayReply>
  /** Whether mounts that see no socket serve everybody as `anonymous` where they have no `identify`. */
  readonly dev: boolean
  /**
   * Called by each mount as it is made: null where it says who calls, else what the gateway warns of at its start, unless
   * another mount says it.
   */
  noteMount(warning: string | null): void
  /** Whose credentials are that hoosh has issued: what `virtualKeys()` and `browserTokens()` ask. */
  readonly credentials: Credentials
  /** What the host's own handlers use, for the caller of one request. */
  context(caller: ContextCaller): HooshContext
  /** The same for cron jobs, queue workers and sockets, which have no request. */
  as(identity: Identity): HooshContext
  /**
   * Opens the storage and starts the clockwork; called by the first request too. Where it cannot start it rejects with the
   * reason; whoever calls is told that there is one.
   */
  ready(): Promise<void>
  /**
   * New calls get 503, on Node with `connection: close`; running ones finish, or are ended in the protocol after `timeoutMs`
   * (30_000). `/v1/health/live` stays 200, `/v1/health/ready` is 503.
   */
  close(options?: { timeoutMs?: number }): Promise<void>
}

/** Looks up what was presented; null for whatever opens nothing. Rejects with `store_unavailable`. */
export interface Credentials {
  /** @param from the client's address, where keys are bound to some */
  key(text: string, from: { readonly address?: string | undefined }): Promise<Identity | null>
  /** @param page headers of the request, which say where it came from */
  browserToken(text: string, page: PageHeaders): Promise<Identity | null>
}

/** Whose context is made. */
export interface ContextCaller {
  identify(): Promise<Identity | null>
  /** Of all that is done in the context; a new one if absent. */
  requestId?: string
  /** Ends the calls that are made in the context, as their own `signal` does: mounts say so when the client has gone. */
  signal?: CancelSignal | undefined
}

/** The request's caller, in process: the same pools, the same log as over HTTP. */
export interface HooshContext {
  /** Who is calling, asked once. Rejects with `unauthenticated` for nobody, as every other method does. */
  identity(): Promise<Identity>
  readonly requestId: string
  readonly budget: {
    /** The caller's pools, in the order of the identity. */
    pools(): Promise<PoolSnapshot[]>
    /** What is left in the tightest pool of each unit; a unit that no pool caps is absent. */
    available(): Promise<Capacity>
    /** Holds an amount in all pools of the caller, renewed until it is settled or released, at most an hour. */
    reserve(amount: HostAmount, options?: ReservationOptions): Promise<HostReservation>
    /** What changed one of the caller's pools, or what became of its credits, newest first; an admin names any pool. */
    entries(pool: string, page?: EntriesPage): Promise<Entry[]>
    /** Freezes a pool, or with false ends that; its other terms stay. For the role `admin` alone, as the next two. */
    freeze(pool: string, frozen?: boolean): Promise<PoolSnapshot>
    /** Gives a pool something to spend beside its cap. The same `id` is the same credit, however often it comes. */
    credit(pool: string, credit: HostCredit): Promise<PoolSnapshot>
    /**
     * Gives back of what a reservation was charged, in all its pools, of which `pool` is one. The same `id` is the same refund
     * of a reservation, however often it comes.
     */
    refund(pool: string, refund: HostRefund): Promise<PoolSnapshot[]>
    /**
     * Opens a run with a budget of its own: what is done in its context is paid by the caller's pools and by the run's, and
     * whichever is empty first refuses. Rejects with `too_many_runs` where 100 of the user's are open.
     *
     * @example
     * const run = await hoosh.budget.run({ tokens: 50_000 })
     * try { await agent(run) } finally { await run.close() }
     */
    run(options: RunOptions): Promise<HooshRun>
  }
  readonly audit: {
    /**
     * Writes an entry of your own to the audit log, in the caller's name: `document.summarised`. Rejects with
     * `invalid_audit_details` for what cannot be written without loss (fractions, dates), `not_found` where the log is off.
     */
    record(event: string, details?: AuditDetails): Promise<AuditEntry>
  }
  /**
   * One chat call, as `POST /v1/chat/completions` makes it, whatever `stream` says. Rejects with a HooshError, the commonest
   * `budget_exceeded`, `rate_limit_exceeded`, `model_not_found`, `provider_rejected`, `provider_error`.
   */
  chat(params: ChatParams, options?: CallOptions): Promise<ChatCompletion>
  /**
   * The same as it is made. The call begins with the loop, leaving the loop ends it, and a slow loop slows the provider; what
   * `chat` rejects with the loop throws. A chunk may have no choice, as the one with `usage`.
   */
  stream(params: ChatParams, options?: CallOptions): AsyncIterable<ChatCompletionChunk>
  /** Embeddings, as `POST /v1/embeddings` makes them. Rejects as `chat`. */
  embed(params: EmbeddingParams, options?: CallOptions): Promise<EmbeddingResponse>
  /** A token for a page of this caller's, so that it may call `/v1` itself: for minutes, on one origin. */
  browserToken(options: BrowserTokenOptions): Promise<BrowserToken>
  /** The whole `/v1` surface in process, as this caller: `new OpenAI({ fetch, baseURL: 'http://hoosh/v1' })`. */
  fetch: typeof globalThis.fetch
}

/** Which entries. */
export interface EntriesPage {
  /** 100; 1 to 1,000. */
  limit?: number
  /** The `id` of an entry: those before it. */
  before?: string
}

/** Tokens, money, or both. Money is in USD, a number or a decimal string with up to nine decimals, or in nano-USD (1 USD = 1e9). */
export type HostAmount = { tokens?: number } & (
  | { usd?: number | string; nanoUsd?: never }
  | { nanoUsd?: number; usd?: never }
)

/** A grant or top-up of a pool. */
export type HostCredit = HostAmount & {
  /** 1 to 128 characters, a new one if absent: of what was paid for, so that a repetition is the same credit. */
  id?: string
  /** Never if absent. A repetition has to say the same, so count from the order and not from now. */
  expiresAt?: Date
  /** At most 500 characters. */
  note?: string
}

/** What is given back of a reservation. */
export type HostRefund = HostAmount & {
  /** 1 to 128 characters, a new one if absent. */
  id?: string
  /** The `id` of a hold, or the `reservation` of an entry. */
  reservation: string
  /** At most 500 characters. */
  note?: string
}

/** What a run may spend, of at least one unit, and how long it may take. */
export interface RunOptions {
  tokens?: number
  /** A number, or a decimal string with up to nine decimals. */
  usd?: number | string
  /** 3_600_000 (an hour); 1_000 to 86_400_000. */
  ttlMs?: number
}

/** A caller's context in a run: `budget.pools()` has the run's pool too, and `budget.run` opens a run within the run. */
export interface HooshRun extends HooshContext {
  /** What clients of the same user send as `x-hoosh-run` to be in it. */
  readonly id: string
  /** ISO 8601. Nothing new is begun in it from then on. */
  readonly expiresAt: string
  /**
   * Ends the run: what is begun in it from now on is refused with `unknown_run`, and calls that run end as they would have.
   *
   * @returns its pool, as it stood; null where the run was over already
   */
  close(): Promise<PoolSnapshot | null>
}

/** What a browser token may do; never more than whom it is made for. */
export interface BrowserTokenOptions {
  /** The page's origin, `https://app.example.org`: sent from another one it opens nothing. */
  origin: string
  /** 300_000 (five minutes); 1_000 to 3_600_000. */
  ttlMs?: number
  /** Pools of the caller's that pay; all of them if absent. */
  pool?: string | readonly string[]
  /** Models in full, or patterns of the caller's own; all that the caller may use if absent. */
  models?: readonly string[]
}

/** What the page sends as `Authorization: Bearer`. */
export interface BrowserToken {
  readonly token: string
  /** ISO 8601. */
  readonly expiresAt: string
}

/** A hold of the host's own; ends once, by either of its methods. The same again changes nothing, the other is `reservation_conflict`. */
export interface HostReservation {
  readonly id: string
  /** Charges what was used, which may be less or more than was held. */
  settle(actual: HostAmount, options?: ReservationOptions): Promise<void>
  /** Gives all of it back. */
  release(options?: ReservationOptions): Promise<void>
}

/** How a step of a reservation is done. */
export interface ReservationOptions {
  /**
   * A transaction that you have open on the database of `@hoosh/sql`: the step is part of it, commits with it and is undone
   * with it. Your Kysely `Transaction`, the client of `pg` on which you said `begin`, or on SQLite the database object.
   */
  transaction?: HostTransaction
}

/** How one call in process is run. */
export interface CallOptions {
  /** Ends the call at the provider; it rejects with `client_closed` then, and what was made so far is charged. */
  signal?: AbortSignal
  /** Of any number of calls of this user with one key and body one is made; the others get its answer, for 24 hours. */
  idempotencyKey?: string
}

/** Fields with any others beside them: of a literal, or of an interface of somebody else's, `openai`'s say. */
type Open<Fields> = Fields | (Fields & { [field: string]: unknown })

/** One message of a conversation, in OpenAI's shape. */
export type ChatMessage = Open<{
  role: 'system' | 'developer' | 'user' | 'assistant' | 'tool' | 'function'
  content?: string | null | readonly object[]
}>

/** OpenAI's request body; fields that are not named here pass through. */
export type ChatParams = Open<{
  model: string
  messages: readonly ChatMessage[]
  max_tokens?: number | null
  max_completion_tokens?: number | null
  temperature?: number | null
  tools?: readonly object[]
  /** A pool of the caller's own list; checked, all of them are charged all the same. */
  pool?: string
}>

/** A tool that the model wants called; `arguments` is JSON text. */
export interface ToolCall {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

/** A piece of a tool call that is streamed: the first of an `index` has `id` and name, the texts of `arguments` are joined. */
export interface ToolCallDelta {
  index: number
  id?: string
  type?: 'function'
  function?: { name?: string; arguments?: string }
}

/** Tokens of a call on the wire, with what it cost. */
export interface WireUsage {
  prompt_tokens: number
  completion_tokens?: number
  total_tokens: number
  /** What the call cost, up to three decimals. */
  cost_micro_usd?: number
  /** Type of the provider that answered. */
  provider?: string
  [field: string]: unknown
}

/** OpenAI's answer to a plain chat call. */
export interface ChatCompletion {
  id: string
  object: 'chat.completion'
  created: number
  model: string
  choices: {
    index: number
    message: { role: 'assistant'; content: string | null; tool_calls?: ToolCall[]; [field: string]: unknown }
    finish_reason: string
    [field: string]: unknown
  }[]
  usage?: WireUsage
  [field: string]: unknown
}

/** One event of OpenAI's streamed answer. */
export interface ChatCompletionChunk {
  id: string
  object: 'chat.completion.chunk'
  created: number
  model: string
  choices: {
    index: number
    delta: { role?: string; content?: string | null; tool_calls?: ToolCallDelta[]; [field: string]: unknown }
    finish_reason: string | null
    [field: string]: unknown
  }[]
  usage?: WireUsage | null
  [field: string]: unknown
}

/** OpenAI's embeddings request; fields that are not named here pass through. */
export type EmbeddingParams = Open<{
  model: string
  input: string | readonly string[] | readonly number[] | readonly (readonly number[])[]
  pool?: string
}>

/** OpenAI's answer to an embeddings call. */
export interface EmbeddingResponse {
  object: 'list'
  data: { object: 'embedding'; index: number; embedding: number[] | string }[]
  model: string
  usage: WireUsage
  [field: string]: unknown
}
