import type { KeyObject } from 'node:crypto'
import type { Registry } from 'prom-client'
import type { AuditSegment } from './audit/retention.js'
import type { PoolSnapshot } from './budget/snapshot.js'
import type { PROVIDER_CATALOG } from './config/provider-catalog.js'
import type { Gateway } from './host.js'
import type { Random } from './random.js'
import type { Storage } from './storage/storage.js'
import type { Awaitable, Clock } from './time.js'

/**
 * Everything a host can say, all of it optional.
 *
 * @example
 * app.use(hoosh({
 *   providers: [{ type: 'openai', apiKey: '$OPENAI_API_KEY', models: ['gpt-*'] }],
 *   identify: (req) => req.user && { user: req.user.id, pool: `user:${req.user.id}` },
 *   pools: { 'user:*': { tokens: 100_000, window: 'day' } },
 * }))
 */
export interface HooshOptions {
  /** Where model calls can go. Without it the environment decides (docs/providers.md). */
  providers?: readonly ProviderOptions[]
  routing?: RoutingOptions
  /** Templates by pattern, the most specific wins; or a function, so that the host's own database says it. */
  pools?: Readonly<Record<string, PoolSpec>> | ((name: string, identity: Identity) => Awaitable<PoolSpec | null>)
  budget?: BudgetOptions
  /** False turns the log off. By default it is on, in memory and unsigned. */
  audit?: false | AuditOptions
  /** What is looked for in requests, and in answers, and what follows. Nothing is looked for without it (docs/dlp.md). */
  dlp?: DlpOptions
  /** Prices that win over the table's, by model pattern, in USD per million tokens as decimal strings. */
  prices?: Readonly<Record<string, PriceSpec>>
  /** Stores; what is missing is kept in memory. */
  storage?: Partial<Storage>
  /** Limits of models, and of failed authentication (docs/limits.md). */
  limits?: LimitOptions
  /** Keys and browser tokens that hoosh issues (docs/keys.md). */
  keys?: KeyOptions
  /** Where the gateway lives below the mount: `/ai` serves `/ai/v1/...`. */
  basePath?: string
  /** Serve `GET /` and `/metrics` although the mount has no path of its own. False by default. */
  rootRoutes?: boolean
  cors?: { origins: readonly string[] }
  /** Largest body of a request, 20 MiB by default. */
  maxBodyBytes?: number
  deadlines?: Deadlines
  metrics?: MetricsOptions
  hooks?: Hooks
  /** Told of what happens; a throw is logged and changes nothing. */
  onEvent?: (event: HooshEvent) => void
  /** Anything shaped like pino; JSON lines on standard output by default, false for none. */
  logger?: Logger | false
  clock?: Clock
  random?: Random
  /** Bring the storage's schema up to date at start. False by default. */
  migrate?: boolean
  /** On mounts that see no socket: serve everybody as `anonymous`. Says at start what it opens. */
  dev?: boolean
}

/** Who is calling, as the host's login knows them. */
export interface Identity {
  user: string
  /** Every pool that pays for the calls of this identity. `default` if absent. */
  pool?: string | readonly string[]
  /** `admin` sees and changes everything. */
  roles?: readonly string[]
  /** Patterns of the models it may use; all if absent. */
  models?: readonly string[]
  /** Patterns of the tools that its calls may give a model, by name; those of the provider's own by type. All if absent. */
  tools?: readonly string[]
  limits?: Limits
  /** The highest its calls may have, and the one they have unless they ask for less; `normal` if absent. */
  priority?: Priority
  metadata?: Readonly<Record<string, string>>
  /** Set by `virtualKeys()` and `browserTokens()`: with what they have identified themselves. */
  credential?: Credential
}

/** A key or token that hoosh has issued. Its limits are its own, beside those of its user. */
export interface Credential {
  kind: 'key' | 'browser'
  /** Never a secret. */
  id: string
  limits?: Limits
}

/**
 * Decides who is calling from what the framework calls a request; null, or whatever is falsy, for nobody. Resolvers of
 * credentials that hoosh issues ask the gateway; whoever wraps them hands it on.
 */
export type Identify<Request> = (
  request: Request,
  gateway?: Gateway,
) => Awaitable<Identity | null | undefined | false | 0 | ''>

/** Limits beside tokens and money, in a sliding minute. */
export interface Limits {
  requestsPerMinute?: number
  tokensPerMinute?: number
  /** Calls at the same time, in all processes that share `storage.rates`. */
  concurrent?: number
  /** Of a pool: its share of a route's places while calls wait for one, beside the other pools', 1. */
  weight?: number
}

/** Limits that belong to no identity and no pool. */
export interface LimitOptions {
  /** By pattern of the model that is asked for, or first tried; each pattern that matches counts. */
  models?: Readonly<Record<string, ModelLimits>>
  /** Failed authentications of one address that are answered 401; what is more in a minute is 429. 120 by default. */
  failedAuthPerMinute?: number
}

/** Limits of a model: of all callers together, or of each user. */
export interface ModelLimits extends Omit<Limits, 'weight'> {
  /** `everybody` by default. */
  per?: 'everybody' | 'user'
}

/** Who is served first where calls wait for a route. */
export type Priority = 'critical' | 'high' | 'normal' | 'low' | 'background'

/** `null` is a lifetime; `{ everyMs }` counts from the epoch; weeks begin on Monday. */
export type Window = 'hour' | 'day' | 'week' | 'month' | { everyMs: number } | null

/** What a pool may spend in each window; it counts both units and is checked in those it caps. */
export interface PoolSpec {
  /** Cap in tokens, up to 2^52; 0 blocks; absent is unlimited but counted. */
  tokens?: number
  /** Cap in USD, a number or a decimal string with up to nine decimals. */
  usd?: number | string
  window?: Window
  /** IANA name, `UTC` by default. */
  timeZone?: string
  limits?: Limits
  /** What a model without a known price does on a pool with money: refused by default. */
  unpriced?: 'refuse' | 'allow'
  /** Takes no new call (403 `pool_frozen`); what runs is settled. False by default. */
  frozen?: boolean
}

/** How calls are held and settled. Times are in milliseconds, outputs in tokens. */
export interface BudgetOptions {
  /** `hard` (default) never overspends where the provider honours its limit; `soft` never cuts and flags. */
  enforcement?: 'hard' | 'soft'
  /** How long a hold outlives its process, 60_000. */
  leaseMs?: number
  /** Heartbeat of running calls, 20_000. */
  renewMs?: number
  /** How often overdue holds are looked for, 15_000. */
  sweepMs?: number
  /** What an overdue hold costs: all of it (`charge`, default) or what was counted at the last heartbeat. */
  onExpire?: 'charge' | 'counted'
  /** Output tokens a call wishes for when it says nothing, 1_024. */
  defaultOutput?: number
  /** Fewer output tokens than this are not worth a call, 16. */
  minOutput?: number
  /**
   * What answers chat calls of a model, by pattern, that a pool cannot pay for, instead of a refusal: `{ 'gpt-4o*': 'gpt-4o-mini' }`.
   * Tried once, and only for callers who may use it, and for calls that it can answer; `x-hoosh-model` says so.
   */
  cheaper?: Readonly<Record<string, string>>
  /** Pools that this process grants from memory, out of slices that it leases. Off by default (docs/budgets.md, slices). */
  slices?: SliceSpec
}

/** Which pools are hot. */
export interface SliceSpec {
  /** By pattern (`*` anywhere): `['tenant:*']`. */
  pools: readonly string[]
}

/** The audit log: its keys and how strict it is. */
export interface AuditOptions {
  /** Secret of the HMAC tags, `$NAME` for the environment; without it the log is unsigned. */
  key?: string
  /** Whether a call may run whose intent could not be stored: `strict` refuses it. */
  mode?: 'strict' | 'buffered'
  /** `process` (default): each process a chain of its own. `shared`: one for all on the same storage, for short-lived ones. */
  chain?: 'process' | 'shared'
  /**
   * Signs where each chain stands, so that cutting or rewriting it is found by whoever has the public key: an Ed25519
   * private key as PEM text (`$NAME` for the environment) or as a KeyObject. Without it there are no checkpoints.
   */
  signingKey?: string | KeyObject
  /** A checkpoint is due after so many new entries (1_000) or so many ms with new ones (60_000); hourly when idle. */
  checkpointEvery?: { entries?: number; ms?: number }
  /**
   * Takes each checkpoint, one line of JSON, to where whoever can write the storage cannot. At least once and in order;
   * it may be slow or throw: then it is called again, and no call waits. `@hoosh/core/audit` has some ready.
   */
  onCheckpoint?: (line: string) => void | Promise<void>
  /** Name of this node in writers' names; the host name by default. */
  node?: string
  /**
   * Entries stay in the storage at least `keepMs`; older ones are handed to `archive` in whole segments (`segmentEntries`, 10_000, or
   * a chain that has ended) and taken out once that has resolved. `fileArchive(folder)` of `@hoosh/core/audit` is one. Absent:
   * they stay for good.
   */
  retention?: { keepMs: number; segmentEntries?: number; archive(segment: AuditSegment): void | Promise<void> }
  /** Keeps what calls ask and are answered, encrypted, beside the log; off by default (docs/audit.md). */
  payloads?: false | PayloadOptions
  /** Entries kept where the store is memory, 10_000. */
  maxEntries?: number
}

/** What calls ask and are answered, each encrypted under a key of its user's, so that a user can be erased. */
export interface PayloadOptions {
  /** Wraps the users' keys; at least 32 characters, `$NAME` for the environment. `auditKey.initial()` makes one. */
  key: string
  /** Keys that unwrap what is there and wrap nothing: those of before, or those to come. */
  otherKeys?: readonly string[]
  /** Bytes kept of each request and answer, 262_144; at most 4 MiB. What is cut is said in the entry. */
  maxBytes?: number
  /** How long they are kept, 30 days. */
  keepMs?: number
}

/** How sensitive content is, from the least. */
export type DlpLevel = 'public' | 'internal' | 'confidential' | 'restricted'

/**
 * `allow`; `localOnly`: no route but local ones; `redact`: replaced for good; `pseudonymise`: replaced, and put back in
 * the answer; `block`: the call is refused.
 */
export type DlpAction = 'allow' | 'localOnly' | 'redact' | 'pseudonymise' | 'block'

/** What is looked for, and what follows. */
export interface DlpOptions {
  /** By level: `allow` up to `internal`, `localOnly` for `confidential`, `block` for `restricted`. */
  actions?: Readonly<Partial<Record<DlpLevel, DlpAction>>>
  /** Level of content in which nothing is found, `public`. */
  defaultLevel?: DlpLevel
  /** The host's own patterns; one that could take more than linear time is refused when the gateway is made. */
  patterns?: readonly DlpPattern[]
  /** Built-in patterns by name: false turns one off, an object gives it another level or an action of its own. */
  builtIn?: Readonly<Record<string, false | DlpRuling>>
  /** Asks a model or a recogniser of names, too. What it throws refuses the call. */
  classify?: (content: DlpContent) => Awaitable<DlpVerdict | DlpLevel | null | undefined>
  /** Look at answers too: what a request may not carry freely (an action other than `allow`) is redacted there. False. */
  answers?: boolean
}

/** What a finding of one pattern means, where that is not said by its level. */
export interface DlpRuling {
  level?: DlpLevel
  action?: DlpAction
}

/** Something of the host's own to look for. */
export interface DlpPattern extends DlpRuling {
  /** Letters, digits and underscores; stands in records and placeholders, so it may not tell a secret itself. */
  name: string
  /** A regular expression or its source; a match has at most 127 characters, a run at its end may be longer. */
  pattern: string | RegExp
}

/** All texts of one request, names of members and numbers among them; of a text that is JSON what it means. */
export interface DlpContent {
  readonly texts: readonly string[]
  readonly call: CallInfo
}

/** What a host's classifier says of a request. */
export interface DlpVerdict {
  readonly level?: DlpLevel
  readonly findings?: readonly DlpFinding[]
}

/** A place in one of the texts. */
export interface DlpFinding extends Readonly<DlpRuling> {
  /** Index in `texts`. */
  readonly text: number
  readonly start: number
  readonly end: number
  /** As of a pattern. */
  readonly name: string
}

/** USD per million tokens, as decimal strings. */
export interface PriceSpec {
  input: string
  output: string
  cached?: string
}

/** In which order routes of one model are tried. */
export type Strategy = 'priority' | 'round-robin' | 'lowest-latency' | 'direct'

/** How a call finds its way. */
export interface RoutingOptions {
  /** `priority` by default; snake_case is accepted. */
  strategy?: Strategy | 'round_robin' | 'lowest_latency'
  /** Another name for one or more models, tried in order: `{ fast: ['gpt-4o-mini', 'llama3.1:8b'] }`. */
  aliases?: Readonly<Record<string, string | readonly string[]>>
  /** Models tried after all routes of a model have failed, by pattern. */
  fallbacks?: Readonly<Record<string, readonly string[]>>
  /** Requests to providers that one call may cause, 3. */
  maxAttempts?: number
  /** How often each route is asked for its models, to know of a failure and its end before a call does; never by default. */
  probeEveryMs?: number
}

/**
 * Providers that are known by name (docs/providers.md): `openai`, `anthropic`, `google`, `mistral`, `groq`, `vllm`, `demo` and
 * the like; any server of OpenAI's dialect is `openai` with a `baseUrl`.
 */
export type ProviderType = keyof typeof PROVIDER_CATALOG

/** A secret, `$NAME` for the environment, or a function that gives it. */
export type ApiKey = string | (() => Awaitable<string>)

/** What a route pins, as PEM or as the path of a file; `$NAME` for the environment. What cannot be used stops the start. */
export interface TlsOptions {
  /** The only authorities that are trusted for this route. */
  ca?: string
  /** A client certificate, with its `key`. */
  cert?: string
  key?: string
}

/** One way to a provider. */
export interface ProviderOptions {
  type: ProviderType
  /** Name of this route, in ASCII, its type by default; two of a name are refused. */
  name?: string
  /** The provider's own by default. `/v1` is appended unless it ends in a version segment. */
  baseUrl?: string
  /** `$NAME` reads the environment; a function is asked for each request, so that a key can change while the app runs. */
  apiKey?: ApiKey
  /** Several, in place of `apiKey`: one is used until the provider refuses or limits it, then the next. */
  apiKeys?: readonly ApiKey[]
  /** Patterns (`*` anywhere) of the models it serves; all if absent. */
  models?: readonly string[]
  /** Lower is tried first, 10 by default. */
  priority?: number
  /** Calls a minute this route takes; 0 refuses all. */
  rpm?: number
  /** Tokens a minute this route takes; one call may pass it. */
  tpm?: number
  /** Calls at the same time that this route takes; more of them wait their turn (docs/routing.md). */
  concurrency?: number
  /** Asks the next candidate beside this one after so many milliseconds without a first byte; the loser is paid for. */
  hedge?: { afterMs: number }
  /** Largest output it is asked for; also the default where the caller names none. */
  maxTokens?: number
  enabled?: boolean
  /** Local routes cost nothing; by type unless said. */
  local?: boolean
  /** Headers sent beside our own. */
  headers?: Readonly<Record<string, string>>
  /** Sent in the query of every request. */
  query?: Readonly<Record<string, string>>
  /** Plain http to a server of the host's own network; without it http goes to this machine only. */
  privateNetwork?: boolean
  tls?: TlsOptions
  /** Models to try after this route failed. */
  fallbacks?: readonly string[]
  /** Of type `ai-sdk`: its provider or model; `fromAiSdk` fills it in. */
  sdk?: object
}

/** How long is waited, in milliseconds; each has an error code of its own. */
export interface Deadlines {
  /** 10_000 */
  connectMs?: number
  /** First byte of a stream, 60_000 */
  firstByteMs?: number
  /** First byte of a plain answer, 600_000: reasoning is silent. */
  plainMs?: number
  /** Silence between bytes, 60_000 */
  idleMs?: number
  /** For a place on a route with `concurrency`, 30_000 */
  queueMs?: number
  /** The whole call with its failovers, none by default. */
  totalMs?: number
}

/** What keys users may make, and what browser tokens are signed with. */
export interface KeyOptions {
  /** Users may make keys of their own, for no more than they may do themselves. False by default: only admins make keys. */
  selfService?: boolean
  /** Most keys a user may have, 100; revoked and expired ones make room. */
  perUser?: number
  /** Longest life of a key that users make, ms; as long as they like by default. */
  longestMs?: number
  /**
   * Secrets of browser tokens, the newest first: that one signs, all are accepted. At least 32 characters each, `$NAME`
   * reads the environment. Without one no token is minted.
   */
  tokenSecrets?: readonly string[]
}

/** Where metrics are kept, and who may read them. */
export interface MetricsOptions {
  /** The host's own registry (prom-client); a new one by default. */
  registry?: Registry
  /** Bearer token that may read `/v1/metrics` and nothing else. */
  token?: string
}

/**
 * What hooks are told of a call. `params` is the caller's own object, or with `dlp` as it goes out: read it, do not
 * change it.
 */
export interface CallInfo {
  readonly requestId: string
  readonly identity: Identity
  readonly kind: 'chat' | 'embeddings'
  readonly model: string
  readonly stream: boolean
  readonly params: Readonly<Record<string, unknown>>
}

/** How a call ended, and what it was charged. */
export interface CallResult {
  readonly provider: string
  readonly route: string
  readonly tokens: number
  readonly nanoUsd: number
  readonly outcome: 'ok' | 'error' | 'aborted' | 'cutoff'
}

/** Functions of the host, awaited unless said otherwise. */
export interface Hooks {
  /** A HooshError that it throws refuses the call with that error; `invalid_options` and anything else is 500 `hook_failed`. */
  beforeCall?(call: CallInfo): Awaitable<void>
  afterCall?(call: CallInfo, result: CallResult): Awaitable<void>
  /** Text of one streamed event, not awaited. With `dlp` redacted where the caller's is, and with stand-ins. */
  onChunk?(call: CallInfo, data: string): void
  onError?(call: CallInfo, error: Error): Awaitable<void>
}

/** What happens, told as it happens. Money is in nano-USD, time in milliseconds. */
export type HooshEvent =
  | {
      type: 'inference.completed'
      requestId: string
      provider: string
      route: string
      model: string
      tokens: number
      nanoUsd: number
      latencyMs: number
    }
  | { type: 'inference.failed'; requestId: string; provider: string; route: string; model: string; code: string }
  | { type: 'inference.refused'; requestId: string; user: string; code: string }
  | { type: 'budget.warning'; threshold: 80 | 95; pool: PoolSnapshot }
  | { type: 'budget.cutoff'; requestId: string; pool: string }
  | { type: 'budget.overrun'; requestId: string; tokens: number; nanoUsd: number }
  | { type: 'budget.expired'; reservation: string; owner: string; tokens: number; nanoUsd: number }
  | { type: 'usage.implausible'; requestId: string; claimedTokens: number; chargedTokens: number }
  | {
      type: 'dlp.found'
      requestId: string
      user: string
      where: 'request' | 'answer'
      level: DlpLevel
      patterns: readonly string[]
    }
  | { type: 'rate.limited'; key: string }
  | { type: 'route.health'; route: string; healthy: boolean }

/** The four methods of pino that are called. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}
