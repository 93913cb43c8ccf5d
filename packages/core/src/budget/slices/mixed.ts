import { type Amount, minus, nothing, plus } from '../../amount.js'
import type { Awaitable } from '../../time.js'
import type { Granted } from '../grant.js'
import { type Held, openIn } from '../memory-books.js'
import type { Ask, Grant, PoolAsk, ReserveRequest, Settlement } from '../store.js'
import { afterEnd, enter, type Room, sharesFor, sharesOf, whenLeased } from './room.js'
import type { Share } from './share.js'

/**
 * A hold in sliced and in other pools: room is kept in the shares first, and then the others are held in the store, for
 * no more than that.
 */
export async function reserveMixed(
  room: Room,
  request: ReserveRequest,
  sliced: readonly PoolAsk[],
  others: readonly PoolAsk[],
): Promise<Grant> {
  const { ask, now } = request
  const kept = await whenLeased(room, () => sharesFor(room, sliced, now), request, keep)
  const grant = await inStore(kept, () =>
    room.desk.store.reserve({ ...request, pools: others, ask: limited(ask, kept) }),
  )
  // Born with what the store has granted, which is no more than what was kept unless `fixed` is less than `plenty`.
  const fixed = minus(grant.held, outputOf(ask, grant))
  const here = enter(
    room,
    request,
    { granted: true, outputTokens: grant.outputTokens, amount: grant.held, fixed },
    kept.shares,
  )
  openIn(room.books, request.id)!.isMixed = true
  await afterEnd(room, kept.shares)
  return { ...grant, pools: [...here.pools, ...grant.pools] }
}

export async function extendMixed(room: Room, held: Held, ask: Ask): Promise<Grant> {
  const now = room.desk.clock()
  const kept = await whenLeased(room, () => sharesOf(room, held), { ask, now }, keep)
  const grant = await inStore(kept, () => room.desk.store.extend(held.id, limited(ask, kept)))
  const { id } = held
  const more = minus(grant.held, held.held)
  const here = room.ledger.extend(id, { fixed: more, each: nothing, floor: 0, wish: 0, atMost: 0 })
  await afterEnd(room, kept.shares)
  return { ...grant, pools: [...here.pools, ...grant.pools] }
}

/** The store first: what it cannot take now is repeated, and then both are. */
export async function endMixed(
  room: Room,
  held: Held,
  there: () => Awaitable<Settlement>,
  here: () => Settlement,
): Promise<Settlement> {
  const inOthers = await there()
  const settlement = here()
  await afterEnd(room, sharesOf(room, held))
  return { ...inOthers, pools: [...settlement.pools, ...inOthers.pools], booked: inOthers.pools }
}

/** Room that is neither free nor held yet, while the store is asked for the rest. */
interface Kept {
  readonly granted: Granted
  readonly shares: readonly Share[]
}

function keep(granted: Granted, shares: readonly Share[]): Kept {
  move(shares, granted.amount, 1)
  return { granted, shares }
}

/** What was kept is free again in the moment in which the store has answered. */
async function inStore({ granted, shares }: Kept, step: () => Awaitable<Grant>): Promise<Grant> {
  try {
    return await step()
  } finally {
    move(shares, granted.amount, -1)
  }
}

function move(shares: readonly Share[], amount: Amount, sign: 1 | -1): void {
  for (const share of shares) {
    const { account } = share
    share.users += sign
    account.held = sign === 1 ? plus(account.held, amount) : minus(account.held, amount)
  }
}

/** The ask for the other pools: what the sliced ones pay for at most. */
function limited(ask: Ask, { granted }: Kept): Ask {
  const { fixed, outputTokens } = granted
  const { plenty, ...rest } = { ...ask, wish: Math.min(ask.wish, outputTokens), atMost: outputTokens }
  return plenty !== undefined && fixed === plenty ? { ...rest, plenty } : rest
}

function outputOf({ each }: Ask, { outputTokens }: Grant): Amount {
  return { tokens: each.tokens * outputTokens, nanoUsd: each.nanoUsd * outputTokens }
}
