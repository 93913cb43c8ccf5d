import type { Place, RateStore, Staying } from './rates.js'

/** By key who is in, and until when at the latest; the longest there stands first. */
type Rooms = Map<string, Map<string, number>>

/** What runs at the same time in this process. */
export function memoryPlaces(): Pick<RateStore, 'enter' | 'stay' | 'leave'> {
  const rooms: Rooms = new Map()
  return {
    enter: (id, places, leaseMs, now) => enter(rooms, id, places, leaseMs, now),
    stay: (staying, leaseMs, now) => stay(rooms, staying, leaseMs, now),
    leave: (staying) => leave(rooms, staying),
  }
}

function enter(rooms: Rooms, id: string, places: readonly Place[], leaseMs: number, now: number): string | null {
  for (const { key, limit } of places) if (!hasRoom(rooms.get(key), id, limit, now)) return key
  for (const { key } of places) {
    const room = rooms.get(key)
    if (room === undefined) rooms.set(key, new Map([[id, now + leaseMs]]))
    else room.set(id, now + leaseMs)
  }
  return null
}

/** Who did not renew is only looked for where the room is full. */
function hasRoom(room: Map<string, number> | undefined, id: string, limit: number, now: number): boolean {
  if (room === undefined) return limit > 0
  if (room.has(id) || room.size < limit) return true
  for (const [other, until] of room) if (until <= now) room.delete(other)
  return room.size < limit
}

function stay(rooms: Rooms, staying: readonly Staying[], leaseMs: number, now: number): void {
  for (const { id, keys } of staying) {
    for (const key of keys) {
      const room = rooms.get(key)
      if (room?.has(id) === true) room.set(id, now + leaseMs)
    }
  }
}

function leave(rooms: Rooms, { id, keys }: Staying): void {
  for (const key of keys) {
    const room = rooms.get(key)
    room?.delete(id)
    if (room?.size === 0) rooms.delete(key)
  }
}
