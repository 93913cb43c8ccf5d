import { createHash } from 'node:crypto'

/** What the pools of runs are called by, all of them and no others. */
export const RUN_PREFIX = 'run:'

/** When it is over, whose it is, and an id; the first in front, so that runs that are over come first in every list. */
const SHAPE = /^run:(\d{13})\.([\w-]{22})\.[\w-]{1,64}$/

/** What the name of a run's pool says. */
export interface RunName {
  /** On the gateway's clock. */
  readonly expiresAt: number
  /** Who opened it, as `ownerMark` writes him. */
  readonly owner: string
}

/** The id of a new run: its pool's name is that behind the prefix. It tells whoever has it nothing but its end. */
export function runId(user: string, expiresAt: number, unique: string): string {
  return `${String(expiresAt).padStart(13, '0')}.${ownerMark(user)}.${unique}`
}

/** What a pool's name says, if it is a run's; null for others. */
export function runName(pool: string): RunName | null {
  const match = SHAPE.exec(pool)
  return match === null ? null : { expiresAt: Number(match[1]), owner: match[2]! }
}

/** Says whose a run is without his name: 132 bits of its SHA-256. */
export function ownerMark(user: string): string {
  return createHash('sha256').update(`hoosh run\n${user}`).digest('base64url').slice(0, 22)
}
