import { nothing, plus, sameAmount } from '../../amount.js'
import type { Account } from '../memory-account.js'
import { openIn } from '../memory-books.js'
import { reservationIn } from '../memory-reservations.js'
import { expireOne } from '../memory-store.js'
import type * as store from '../store.js'
import { book, inTurn, tidy } from './desk.js'
import { doubt, type Room } from './room.js'
import { endLeases, isDone, type Share } from './share.js'

/** A hold with a part in the store ends here when it has ended there. */
export async function expire(
  room: Room,
  policy: Parameters<store.BudgetStore['expire']>[0],
): Promise<store.ExpiredReservation[]> {
  const { ledger, desk } = room
  const here = ledger.expire(policy, ({ isMixed }) => !isMixed)
  for (const { id } of here) doubt(room, reservationIn(room.books.reservations, id)!, plus)
  const limit = policy.limit - here.length
  const there = limit > 0 ? await desk.store.expire({ ...policy, limit }) : []
  // What is charged for those here is told of once it is in the store.
  const unbooked = here.map(({ booked: _booked, ...expired }) => expired)
  return [...desk.untold.splice(0), ...unbooked, ...there]
}

/** Takes note of what the store has ended for its lease: leases of ours, and parts of our calls. */
export function noteExpired(room: Room, expired: readonly store.ExpiredReservation[]): void {
  const ids = new Set(expired.map(({ id }) => id))
  if (ids.size > 0) markExpired(room.shares, ids)
  for (const { id, charged } of expired) {
    const held = openIn(room.books, id)
    if (held === undefined) continue
    expireOne(room.books, held, sameAmount(charged, held.held) ? 'charge' : 'counted', room.desk.clock())
    doubt(room, held, plus)
  }
}

function markExpired(shares: Room['shares'], ids: ReadonlySet<string>): void {
  for (const { leases, ended } of shares.values()) {
    for (const lease of [...leases, ...ended]) if (ids.has(lease.id)) lease.isExpired = true
  }
}

/** See `Slices.beat`. */
export async function beat(room: Room): Promise<void> {
  const { desk, shares } = room
  const leases = [...shares.values()].flatMap((share) => share.leases).filter(({ isExpired }) => !isExpired)
  if (leases.length > 0) {
    const running = leases.map(({ id, size }) => ({ id, counted: size }))
    markExpired(shares, new Set(await desk.store.renew(running, desk.leaseMs)))
  }
  await Promise.all([...shares].map(([account, share]) => attended(room, account, share, () => tidy(desk, share))))
}

/** One share after another way: what cannot be written for one is no reason to leave the others. */
async function attended({ desk, shares }: Room, account: Account, share: Share, step: () => Promise<void>) {
  try {
    await inTurn(share, step)
  } catch (error) {
    desk.failed(error, 'a slice could not be settled; it is tried again')
  }
  if (isDone(share)) shares.delete(account)
}

/** See `Slices.close`. */
export async function close(room: Room): Promise<void> {
  const { desk, shares } = room
  await Promise.all(
    [...shares].map(([account, share]) =>
      attended(room, account, share, async () => {
        share.doubtful = nothing
        endLeases(share, 'spare')
        await book(desk, share)
      }),
    ),
  )
}
