import type { AuditLog } from '../../audit/log.js'
import { asHooshError, HooshError } from '../../errors.js'
import type { ByteSink, GatewayReply } from '../../exchange.js'
import type { Logger } from '../../options.js'
import { within } from '../../time.js'
import type { Call } from '../call.js'
import type { SettleRetries } from '../settle-retries.js'
import { claimOrWait, FIRST_LOOK_MS, giveUp, idFor, KEPT_MS, type KeyedParts, LONGEST_LOOK_MS } from './claim.js'
import { idempotencyMismatch, idempotencyUnknown } from './errors.js'
import { type Flight, flight, type Landed, type Seat, takeSeat } from './flight.js'
import { holderKey, printOf, recordKey, scopeOf, wantedKey } from './names.js'
import { encodeRecord, type KeyedRecord } from './record.js'
import { sleeping } from './sleeping.js'
import { streamLog } from './stream-log.js'

/** Calls with an `Idempotency-Key`: of any number with one key one is made. */
export interface KeyedCalls {
  /**
   * Answers a call by making it, by waiting for the one that is made, or with what that one has answered.
   *
   * @param run makes it
   * @throws HooshError `invalid_request`, `idempotency_mismatch`, `idempotency_unknown`, or whatever the call threw
   */
  answer(call: Call, key: string, run: (call: Call) => Promise<GatewayReply>): Promise<GatewayReply>
  /** Says that this process is alive, and gives up what nobody waits for any more. */
  renew(): Promise<void>
  /** Ends all waiting for other processes, and waits until what was answered here is kept. */
  close(): Promise<void>
}

type StreamedBody = (sink: ByteSink) => Promise<void>

interface Keyed extends KeyedParts {
  readonly audit: AuditLog | null
  readonly logger: Logger
  /** Ends of holds that are still owed to the ledger. */
  readonly retries: Pick<SettleRetries, 'has'>
  /** By scope. */
  readonly flights: Map<string, Flight>
}

/** How long an answer waits until it is kept, ms. Where it is not by then it follows. */
const KEEP_WAIT_MS = 250

/** Headers that are about one request rather than about the answer. */
const OF_THE_REQUEST = /^(?:x-request-id|x-hoosh-cost-micro-usd|x-hoosh-budget-.*|x-ratelimit-.*)$/

export function keyedCalls(
  options: Omit<KeyedParts, 'sleep'> & Pick<Keyed, 'audit' | 'logger' | 'retries'>,
): KeyedCalls {
  const sleepers = sleeping()
  const keyed: Keyed = { ...options, sleep: sleepers.sleep, flights: new Map() }
  return {
    answer: (call, key, run) => answer(keyed, call, key, run),
    renew: async () => void (await Promise.all([...keyed.flights.values()].map((one) => renew(keyed, one)))),
    async close() {
      sleepers.wakeAll()
      await Promise.all([...keyed.flights.values()].map(({ ended }) => ended))
    },
  }
}

async function answer(
  keyed: Keyed,
  call: Call,
  key: string,
  run: (call: Call) => Promise<GatewayReply>,
): Promise<GatewayReply> {
  const [scope, print] = [scopeOf(call.caller.user, key), printOf(call)]
  for (;;) {
    const known = keyed.flights.get(scope)
    if (known === undefined) {
      const own = flight(scope, print, keyed.ids())
      keyed.flights.set(scope, own)
      const seat = takeSeat(own, call.signal, () => void emptied(keyed, own))
      own.ended = fly(keyed, own, call, run)
      return arrive(keyed, own, call, seat, false)
    }
    if (known.cut.aborted) await known.ended
    else if (known.print === print) {
      const seat = takeSeat(known, call.signal, () => void emptied(keyed, known))
      return arrive(keyed, known, call, seat, true)
    }
    // That one may be wrong itself: then it is ours to ask again.
    else if (await known.verified) throw idempotencyMismatch()
    else await known.ended
  }
}

/** What one of those who wait gets. */
async function arrive(keyed: Keyed, on: Flight, call: Call, seat: Seat, isLater: boolean): Promise<GatewayReply> {
  let landed: Landed
  try {
    landed = await Promise.race([on.landed, seat.gone])
    if (isLater || landed.isOld) await noteReplay(keyed, call, landed)
  } catch (error) {
    seat.leave()
    throw error
  }
  const isReplay = isLater || landed.isOld
  const { status, body } = landed
  const headers: Record<string, string> = { ...(isReplay ? keptHeaders(landed) : landed.headers) }
  headers['x-request-id'] = call.requestId
  if (isReplay) {
    headers['x-hoosh-replay'] = '1'
    headers['x-hoosh-cost-micro-usd'] = '0'
  }
  if (body instanceof Uint8Array) {
    seat.leave()
    return { status, headers, body: call.stream ? async (sink) => sink.write(body) : body }
  }
  return {
    status,
    headers,
    body: (sink) => body.play(sink, call.signal, isReplay).finally(seat.leave),
  }
}

/** Makes the call, or waits for who does; tells those who wait, and keeps what came of it. Never rejects. */
async function fly(keyed: Keyed, own: Flight, call: Call, run: (call: Call) => Promise<GatewayReply>): Promise<void> {
  let id: string | undefined
  let isCharged = false
  const noteCharged = () => {
    isCharged = true
  }
  try {
    const found = await claimOrWait(keyed, own)
    if (found !== null) return own.land(found)
    own.isOurs = true
    id = await idFor(keyed, own.scope)
    const reply = await run({ ...call, id, signal: own.cut, noteCharged })
    const { body } = reply
    if (typeof body === 'function') await stream(keyed, own, id, reply, body)
    else await plain(keyed, own, id, reply, wholeOf(body))
  } catch (thrown) {
    const error = asHooshError(thrown)
    const isKept = isCharged || error.code === 'reservation_conflict'
    const ending = isKept ? keepFailure(keyed, own, error) : free(keyed, own, id, error)
    if (own.isOurs && !(id !== undefined && keyed.retries.has(id))) await within(KEEP_WAIT_MS, ending)
    own.isOver = true
    own.verify(false)
    own.fail(knownAs(error))
    await ending
  } finally {
    keyed.flights.delete(own.scope)
  }
}

/** The ledger knows the id: another process has made the call, and the cache does not know it. */
function knownAs(error: HooshError): HooshError {
  return error.code === 'reservation_conflict' ? idempotencyUnknown() : error
}

async function plain(
  keyed: Keyed,
  own: Flight,
  call: string,
  { status, headers, isPrivate }: GatewayReply,
  body: Uint8Array,
): Promise<void> {
  await within(KEEP_WAIT_MS, keepAnswer(keyed, own, { call, status, headers }, isPrivate === true ? null : body))
  own.isOver = true
  own.land({ call, status, headers, body, isOld: false })
}

async function stream(
  keyed: Keyed,
  own: Flight,
  call: string,
  { status, headers, isPrivate }: GatewayReply,
  body: StreamedBody,
): Promise<void> {
  const log = streamLog(own.cut)
  own.land({ call, status, headers, body: log, isOld: false })
  try {
    await body(log.sink)
    const whole = own.cut.aborted || isPrivate === true ? null : log.whole()
    await within(KEEP_WAIT_MS, keepAnswer(keyed, own, { call, status, headers }, whole))
  } finally {
    own.isOver = true
    log.end()
  }
}

/** @param body null where it is not whole, too long, or nothing that may be kept */
async function keepAnswer(
  keyed: Keyed,
  own: Flight,
  { call, status, headers }: Pick<Landed, 'call' | 'status' | 'headers'>,
  body: Uint8Array | null,
): Promise<void> {
  const { print } = own
  const record: KeyedRecord = { state: 'answered', print, call, status, headers: keptHeaders({ headers }) }
  const isKept = body !== null && (await keep(keyed, own, record, body))
  if (!isKept) await keep(keyed, own, { state: 'lost', print })
}

function keptHeaders({ headers }: Pick<Landed, 'headers'>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_THE_REQUEST.test(name)))
}

/**
 * Frees the key of a call that has cost nothing, as soon as the cache can be asked. Not before its hold is off the ledger:
 * the next call of the key may have the same id, and its hold must not be taken for the one that is to be given back.
 */
async function free(keyed: Keyed, own: Flight, id: string | undefined, error: HooshError): Promise<void> {
  const { retries, sleep, logger } = keyed
  // Where the cache did not answer, the key may be ours without our knowing.
  if (!own.isOurs && error.code !== 'store_unavailable') return
  for (let wait = FIRST_LOOK_MS; ; wait = Math.min(2 * wait, LONGEST_LOOK_MS)) {
    try {
      if (id === undefined || !retries.has(id)) return await giveUp(keyed, own)
    } catch (err) {
      logger.warn({ err }, 'an idempotency key whose call was not made could not be freed; it is tried again')
    }
    if (!(await sleep(wait))) return
  }
}

/** A failure that has, or may have, cost something is what the key stands for from now on. */
async function keepFailure(keyed: Keyed, own: Flight, { code, message, details }: HooshError): Promise<void> {
  const { print } = own
  const isLost = code === 'client_closed' || code === 'reservation_conflict'
  await keep(keyed, own, isLost ? { state: 'lost', print } : { state: 'failed', print, code, message, details })
}

/** Says that it could not be kept, and leaves the key as it is: it then stands for a call that is lost. */
async function keep(keyed: Keyed, { scope }: Flight, record: KeyedRecord, body?: Uint8Array): Promise<boolean> {
  try {
    return await keyed.cache.put(recordKey(scope), encodeRecord(record, body), KEPT_MS)
  } catch (err) {
    keyed.logger.warn({ err }, 'the answer to a call with an idempotency key could not be kept')
    return true
  }
}

/** The last one in this process has gone; somebody in another one may wait still. */
async function emptied(keyed: Keyed, own: Flight): Promise<void> {
  if (own.isOver || (own.isOurs && (await isWanted(keyed, own)))) return
  if (own.seats === 0) own.cut.abort(new HooshError('client_closed'))
}

async function isWanted({ cache }: Keyed, { scope }: Flight): Promise<boolean> {
  try {
    return (await cache.get(wantedKey(scope))) !== null
  } catch {
    return false // a store that does not answer keeps no call alive
  }
}

async function renew(keyed: Keyed, own: Flight): Promise<void> {
  if (!own.isOurs || own.isOver) return
  await keyed.cache.put(holderKey(own.scope, own.holder), new Uint8Array(), keyed.leaseMs)
  if (own.seats === 0) await emptied(keyed, own)
}

async function noteReplay({ audit }: Keyed, call: Call, landed: Landed): Promise<void> {
  if (audit === null) return
  const record = audit.own({
    event: 'inference.replayed',
    level: 'info',
    message: 'The answer to an earlier call with the same idempotency key was given again.',
    model: call.model,
    subject: call.caller.user,
    pool: call.pools[0]!,
    reservation: landed.call,
    requestId: call.requestId,
  })
  await audit.stage(record)
}

function wholeOf(body: Exclude<GatewayReply['body'], StreamedBody>): Uint8Array {
  if (typeof body === 'string') return Buffer.from(body)
  return body instanceof Uint8Array ? body : Buffer.concat(body)
}
