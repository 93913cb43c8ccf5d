/** Nobody is told to wait longer than this, ms; a call that is tried earlier is refused again, nothing worse. */
const LONGEST_WAIT_MS = 3_600_000

/**
 * What a failed answer says about trying again: `retry-after-ms`, else `retry-after` in seconds or as a date (RFC 9110,
 * 10.2.3), between 0 and an hour; undefined where it says nothing that can be read.
 *
 * @param now milliseconds since the epoch
 */
export function retryAfterMs(header: (name: string) => string | undefined, now: number): number | undefined {
  const exact = waitOf(header('retry-after-ms'), 1)
  if (exact !== undefined) return exact
  const text = header('retry-after')
  const seconds = waitOf(text, 1_000)
  if (seconds !== undefined || text === undefined) return seconds
  // A date begins with the name of a day; Date.parse would find one in "-3" too.
  const at = /^\s*[A-Za-z]{3}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : clamped(at - now)
}

function waitOf(text: string | undefined, unitMs: number): number | undefined {
  return text !== undefined && /^\s*\d{1,12}(?:\.\d+)?\s*$/.test(text) ? clamped(Number(text) * unitMs) : undefined
}

function clamped(ms: number): number {
  return Math.min(LONGEST_WAIT_MS, Math.max(0, Math.ceil(ms)))
}
