import { randomUUID } from 'node:crypto'
import type { Clock } from './time.js'

/** `bytes` random bytes. The gateway's own, so that a test can replay a run. */
export type Random = (bytes: number) => Uint8Array

/** Numbers from 0 to below 1, for what has to be spread rather than secret. */
export function chanceFrom(random: Random | undefined): () => number {
  return random === undefined ? Math.random : () => Buffer.from(random(4)).readUInt32BE(0) / 2 ** 32
}

/** Ids of one millisecond that are told apart by their counter. */
const MOST_A_MS = 0x1000

/**
 * Makes ids: UUID v7 (RFC 9562, 6.2, method 1), rising within a process. So rows that are keyed by them stand side by
 * side in a database's index: keys at random dirty a page each, which was half the cost of a hold on SQLite.
 *
 * Where the clock stands still, or steps back, a counter goes on. The last 62 bits are drawn anew for each millisecond,
 * from `random` where the host gave one, else from the operating system: ids are told apart, they are no secrets.
 */
export function idsFrom(random: Random | undefined, clock: Clock): () => string {
  const drawTail = random === undefined ? () => randomUUID().slice(19) : () => tailFrom(random)
  let ms = 0
  let count = 0
  let head = ''
  let tail = ''
  return () => {
    const now = Math.floor(clock())
    count += 1
    if (now > ms || count === MOST_A_MS) {
      ms = Math.max(now, ms + 1)
      count = 0
      const hex = ms.toString(16).padStart(12, '0')
      head = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
      tail = `-${drawTail()}`
    }
    return head + (HEX[count] ?? count.toString(16).padStart(3, '0')) + tail
  }
}

/** The first counts of a millisecond, written out once. */
const HEX = Array.from({ length: 64 }, (_, count) => count.toString(16).padStart(3, '0'))

/** Variant and 62 random bits. */
function tailFrom(random: Random): string {
  const bytes = Buffer.from(random(8))
  bytes[0] = (bytes[0]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 4)}-${hex.slice(4)}`
}
