import type { AuditDetails } from './audit/store.js'
import { tightestLeft } from './budget/pool-book.js'
import { snapshotOf } from './budget/snapshot.js'
import { type CancelSignal, cancel, follow, type Signalling } from './cancel.js'
import { givenObject, HooshError } from './errors.js'
import type { GatewayReply } from './exchange.js'
import type {
  BrowserTokenOptions,
  ChatCompletion,
  ChatParams,
  ContextCaller,
  EmbeddingParams,
  EmbeddingResponse,
  HooshContext,
  HooshRun,
  HostAmount,
  ReservationOptions,
  RunOptions,
} from './host.js'
import { type Caller, normalise } from './identity/caller.js'
import { mintToken } from './identity/mint.js'
import { chat, embed } from './inference/chat.js'
import { chunksOf } from './inference/chunks.js'
import type { Engine } from './inference/engine.js'
import { amountOf } from './inference/host-amount.js'
import { hostReservation } from './inference/host-reservation.js'
import { newCall } from './inference/new-call.js'
import { checkAdmin, creditPool, freezePool, poolEntries, refundIn } from './inference/pool-admin.js'
import { asksOf, asUnknownRun, callerIn, closeRun, openRun } from './inference/runs.js'
import { chatRequest, embeddingsRequest } from './routes/schemas.js'
import { validated } from './routes/validate.js'

/** What a context works with: the engine, started on first use, and the HTTP surface for `fetch`. */
export interface ContextParts {
  engine(): Promise<Engine> | Engine
  fetchFor(caller: ContextSource): typeof globalThis.fetch
  noteError(error: HooshError, requestId: string): void
  ids(): string
}

/** Whose context it is, and in which runs he calls: their ids as a header has them. */
export interface ContextSource extends ContextCaller {
  run?: string | undefined
}

/** The request's caller, in process. Costs next to nothing until one of its methods is called. */
export function hostContext(parts: ContextParts, source: ContextSource): HooshContext {
  let caller: Promise<Caller> | undefined
  let requestId = source.requestId
  const known = () => (caller ??= callerOf(source))
  const id = () => (requestId ??= parts.ids())
  /** Of an identity that cannot be used the caller is told no reason, so the log has it, as over HTTP. */
  const noted = () =>
    known().catch((thrown) => {
      if (thrown instanceof HooshError) parts.noteError(thrown, id())
      throw thrown
    })
  const session = async () => {
    const who = await noted()
    const engine = await parts.engine()
    return { engine, caller: callerIn(engine, who, source.run), requestId: id() }
  }
  return {
    identity: async () => (await noted()).identity,
    get requestId() {
      return id()
    },
    budget: budgetOf(parts, session, (mine, options) => runContext(parts, source, mine, options)),
    browserToken: async (options: BrowserTokenOptions) =>
      minted(await parts.engine(), await noted(), givenObject('options', options)),
    audit: { record: async (event: string, details?: AuditDetails) => recordEvent(await session(), event, details) },
    async chat(params: ChatParams, options = {}) {
      const { engine, caller: who } = await session()
      const plain = { ...validated(chatRequest, params), stream: false }
      const reply = await endedBy([source, options], (signal) =>
        chat(
          engine,
          newCall(engine, { kind: 'chat', params: plain, bytes: null, caller: who, requestId: id(), signal }),
          options.idempotencyKey,
        ),
      )
      return JSON.parse(textOf(reply.body)) as ChatCompletion
    },
    stream(params: ChatParams, options = {}) {
      return chunksOf(
        async (signal) => {
          const { engine, caller: who } = await session()
          const streamed = { ...validated(chatRequest, params), stream: true }
          return chat(
            engine,
            newCall(engine, { kind: 'chat', params: streamed, bytes: null, caller: who, requestId: id(), signal }),
            options.idempotencyKey,
          )
        },
        [source, options],
      )
    },
    async embed(params: EmbeddingParams, options = {}) {
      const { engine, caller: who } = await session()
      const checked = validated(embeddingsRequest, params)
      const reply = await endedBy([source, options], (signal) =>
        embed(
          engine,
          newCall(engine, { kind: 'embeddings', params: checked, bytes: null, caller: who, requestId: id(), signal }),
          options.idempotencyKey,
        ),
      )
      return JSON.parse(textOf(reply.body)) as EmbeddingResponse
    },
    fetch: (input, init) => {
      const identify = async () => (await known().catch(nobody))?.identity ?? null
      const asked = { identify, requestId: id(), signal: source.signal, run: source.run }
      return parts.fetchFor(asked)(input, init)
    },
  }
}

/** Work that ends as soon as one of the sources' signals aborts. */
async function endedBy<Result>(
  sources: readonly Signalling[],
  work: (signal: CancelSignal) => Promise<Result>,
): Promise<Result> {
  const gone = cancel()
  const unfollow = follow(gone, sources)
  try {
    return await work(gone)
  } finally {
    unfollow()
  }
}

/** What the routes below `/v1/tokens/pools/{name}` do. */
function poolAdmin(
  session: () => Promise<Session>,
): Pick<HooshContext['budget'], 'entries' | 'freeze' | 'credit' | 'refund'> {
  const asAdmin = async () => {
    const found = await session()
    checkAdmin(found.caller)
    return found
  }
  return {
    async entries(pool, { limit = 100, before } = {}) {
      const found = await session()
      return poolEntries(found.engine, found, pool, { limit, before })
    },
    async freeze(pool, frozen = true) {
      const found = await asAdmin()
      return snapshotOf(await freezePool(found.engine, found, pool, frozen))
    },
    async credit(pool, credited) {
      const { expiresAt, ...given } = givenObject('credit', credited)
      const found = await asAdmin()
      const credit = { ...given, amount: amountOf(given), expiresAt: expiresAt == null ? null : Number(expiresAt) }
      return snapshotOf((await creditPool(found.engine, found, pool, credit)).pool)
    },
    async refund(pool, refunded) {
      const given = givenObject('refund', refunded)
      const found = await asAdmin()
      const { pools } = await refundIn(found.engine, found, pool, { ...given, amount: amountOf(given) })
      return pools.map(snapshotOf)
    },
  }
}

/** Pools, reservations and runs of the caller. */
function budgetOf(
  parts: ContextParts,
  session: () => Promise<Session>,
  run: (session: Session, options: RunOptions) => Promise<HooshRun>,
): HooshContext['budget'] {
  return {
    pools: async () => (await toldOfRuns(await session(), poolStates)).map(snapshotOf),
    available: async () => tightestLeft(await toldOfRuns(await session(), poolStates)),
    async reserve(amount: HostAmount, options: ReservationOptions = {}) {
      checkStarted(parts, options)
      const asked = givenObject('amount', amount)
      return toldOfRuns(await session(), (mine) => hostReservation(mine, asked, options))
    },
    ...poolAdmin(session),
    run: async (options) => run(await session(), givenObject('options', options)),
  }
}

/** A gateway's start writes, which on SQLite would wait for the very transaction that waits for the start. */
function checkStarted(parts: ContextParts, { transaction }: ReservationOptions): void {
  const starting = transaction === undefined ? null : parts.engine()
  if (!(starting instanceof Promise)) return
  starting.catch(() => {}) // whoever comes next is told
  const message = 'transaction: the gateway has not started yet; `await gateway.ready()` before your first transaction.'
  throw new HooshError('not_ready', { message, details: { param: 'transaction' } })
}

/** Of the caller himself: a page is in no run. */
function minted(engine: Engine, caller: Caller, options: BrowserTokenOptions) {
  return mintToken({ signer: engine.tokens, id: engine.ids(), now: engine.clock() }, caller, options)
}

interface Session {
  readonly engine: Engine
  readonly caller: Caller
  readonly requestId: string
}

/** How long a run is open unless it is said. */
const RUN_MS = 3_600_000

/** The same context, in a run of its own. */
async function runContext(
  parts: ContextParts,
  source: ContextSource,
  { engine, caller, requestId }: Session,
  { ttlMs = RUN_MS, ...caps }: RunOptions,
): Promise<HooshRun> {
  const { id, expiresAt } = await openRun(engine, { caller, requestId }, caps, ttlMs)
  const run = source.run === undefined ? id : `${source.run}, ${id}`
  const { signal } = source
  const context = hostContext(parts, { identify: async () => caller.identity, requestId, signal, run })
  return Object.assign(context, {
    id,
    expiresAt: new Date(expiresAt).toISOString(),
    close: () => closeRun(engine, { caller, requestId }, id).then(snapshotOf, nothingLeft),
  })
}

/** A run whose time is over, or that was closed before, is closed. */
function nothingLeft(thrown: unknown): null {
  if (thrown instanceof HooshError && thrown.code === 'unknown_run') return null
  throw thrown
}

async function toldOfRuns<Result>(session: Session, work: (session: Session) => Promise<Result>): Promise<Result> {
  try {
    return await work(session)
  } catch (thrown) {
    throw asUnknownRun(session.engine, session.caller.runs, thrown)
  }
}

async function callerOf(source: ContextCaller): Promise<Caller> {
  const identity = await source.identify()
  if (identity !== null) return normalise(identity)
  throw new HooshError('unauthenticated', { message: 'Nobody is signed in: `identify` does not know this caller.' })
}

/** Nobody is known: that is no fault for `fetch`, which answers 401. */
function nobody(thrown: unknown): null {
  if (thrown instanceof HooshError && thrown.code === 'unauthenticated') return null
  throw thrown
}

async function poolStates({ engine, caller }: Session) {
  return engine.storage.budgets.read(await asksOf(engine, caller), engine.clock())
}

/** Names that hoosh's own entries begin with: a host's entry must not look like one. */
const OWN_EVENTS = /^(?:inference|budget|usage|auth|admin|audit|tool)\./

async function recordEvent({ engine, caller, requestId }: Session, event: string, details: AuditDetails | undefined) {
  const { audit } = engine
  if (audit === null) throw new HooshError('not_found', { message: 'The audit log is turned off here.' })
  if (typeof event !== 'string' || event === '' || event.length > 128 || OWN_EVENTS.test(event)) {
    throw new HooshError('invalid_audit_details', {
      message:
        'event: must be 1 to 128 characters, and not begin with a name that hoosh uses (inference, budget, usage, auth, admin, audit, tool)',
      details: { param: 'event' },
    })
  }
  const record = audit.record({
    event,
    level: 'info',
    message: event,
    subject: caller.user,
    requestId,
    ...(details === undefined ? {} : { metadata: details }),
  })
  await audit.stage(record)
  return { ...record, staged: true as const }
}

function textOf(body: GatewayReply['body']): string {
  if (typeof body === 'string') return body
  if (typeof body === 'function') throw new HooshError('internal_error')
  return Buffer.concat(body instanceof Uint8Array ? [body] : body).toString('utf8')
}
