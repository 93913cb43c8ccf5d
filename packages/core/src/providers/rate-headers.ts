/** Longest rest that a success can ask for, ms; more would be a mistake of the provider's clock or units. */
const LONGEST_REST_MS = 60_000

/** Names of what is left and of when more comes: OpenAI and most others, then Anthropic. */
const PAIRS = [
  ['x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
  ['x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'],
  ['anthropic-ratelimit-requests-remaining', 'anthropic-ratelimit-requests-reset'],
  ['anthropic-ratelimit-tokens-remaining', 'anthropic-ratelimit-tokens-reset'],
] as const

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * How long a provider wants to be left alone after this answer, though it was one: nothing is left of a rate and its
 * headers say when more comes. Undefined where something is left, or nothing is said that can be read. At most a minute.
 *
 * @param now milliseconds since the epoch
 */
export function restAfter(header: (name: string) => string | undefined, now: number): number | undefined {
  let restMs: number | undefined
  for (const [remaining, reset] of PAIRS) {
    if (header(remaining) !== '0') continue
    const ms = resetMs(header(reset), now)
    if (ms !== undefined && ms > 0) restMs = Math.max(restMs ?? 0, Math.min(ms, LONGEST_REST_MS))
  }
  return restMs
}

/** `6m0s`, `1.5s`, `20ms`; seconds without a unit; a date as RFC 3339. */
function resetMs(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{4}-\d\d-\d\dT/.test(text)) {
    const at = Date.parse(text)
    return Number.isNaN(at) ? undefined : at - now
  }
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Math.ceil(Number(text) * 1_000)
  if (!/^(\d{1,9}(\.\d{1,9})?(ms|s|m|h|d)){1,5}$/.test(text)) return undefined
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)
  return Math.ceil([...parts].reduce((sum, [, figure, unit]) => sum + Number(figure) * UNITS_MS[unit!]!, 0))
}
