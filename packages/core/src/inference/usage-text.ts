import { completionTokens, promptTokens, totalTokens } from '../cost/usage.js'
import { parseUsage, type ReportedUsage } from '../cost/wire-usage.js'
import type { Call } from './call.js'
import type { Charge } from './charge.js'

const USAGE_KEY = '"usage"'
const OPENING_BRACE = 0x7b
const COLON = 0x3a

/** Where a usage object begins in an answer, and what it says. */
export interface UsageFound {
  readonly reported: ReportedUsage
  /** Byte position just after its opening brace. */
  readonly inside: number
  readonly isEmpty: boolean
}

/** Places of the key that are looked at: Groq's compound models tell the usage of each model behind that of the call. */
const MOST_KEYS = 32

/**
 * Finds the usage object near the end of an answer without parsing all of it.
 *
 * A quote inside a JSON string is escaped, so the bytes `"usage"` are a key or a whole string; and the text from a key
 * to the end, put behind an opening brace, is JSON only if the key stood at the top level of the answer.
 *
 * @returns null where there is no such object; then only parsing the whole answer can tell
 */
export function findUsage(answer: Buffer): UsageFound | null {
  let key = answer.lastIndexOf(USAGE_KEY)
  for (let keys = 0; key >= 0 && keys < MOST_KEYS; keys += 1) {
    const found = usageAt(answer, key)
    if (found !== undefined) return found
    key = key === 0 ? -1 : answer.lastIndexOf(USAGE_KEY, key - 1)
  }
  return null
}

/** What stands at a key: null where it says nothing that can be true, undefined where it is not the answer's own. */
function usageAt(answer: Buffer, key: number): UsageFound | null | undefined {
  const brace = braceAfter(answer, key + USAGE_KEY.length)
  if (brace < 0) return undefined
  let tail: { usage?: unknown }
  try {
    tail = JSON.parse(`{${answer.toString('utf8', key)}`)
  } catch {
    return undefined
  }
  const reported = parseUsage(tail.usage)
  return reported === null
    ? null
    : { reported, inside: brace + 1, isEmpty: Object.keys(tail.usage as object).length === 0 }
}

function braceAfter(answer: Buffer, from: number): number {
  let at = skipSpace(answer, from)
  if (answer[at] !== COLON) return -1
  at = skipSpace(answer, at + 1)
  return answer[at] === OPENING_BRACE ? at : -1
}

function skipSpace(answer: Buffer, from: number): number {
  let at = from
  while (answer[at] === 0x20 || answer[at] === 0x0a || answer[at] === 0x0d || answer[at] === 0x09) at += 1
  return at
}

/** The answer with what it cost and who made it put into its usage object, as pieces. */
export function withCost(answer: Buffer, found: UsageFound, nanoUsd: number, provider: string): readonly Buffer[] {
  return [
    answer.subarray(0, found.inside),
    Buffer.from(costFields(nanoUsd, provider, found.isEmpty)),
    answer.subarray(found.inside),
  ]
}

/** An answer whose provider told no usage, with ours. */
export function withUsage(answer: Buffer, usage: string): string {
  const { usage: _none, ...json } = JSON.parse(answer.toString('utf8')) as { usage?: unknown }
  return `${JSON.stringify(json).slice(0, -1)},"usage":${usage}}`
}

/** A usage object of what we charge, as JSON. */
export function countedUsage(kind: Call['kind'], { usage, amount }: Charge, provider: string): string {
  const figures = {
    prompt_tokens: promptTokens(usage),
    ...(kind === 'chat' && { completion_tokens: completionTokens(usage) }),
    total_tokens: totalTokens(usage),
  }
  return `{${costFields(amount.nanoUsd, provider, false)}${JSON.stringify(figures).slice(1)}`
}

/** `"cost_micro_usd":1.5,"provider":"openai",` to stand first in an object. */
export function costFields(nanoUsd: number, provider: string, isAlone: boolean): string {
  return `"cost_micro_usd":${microUsd(nanoUsd)},"provider":${JSON.stringify(provider)}${isAlone ? '' : ','}`
}

/** Micro-USD with up to three decimals. */
export function microUsd(nanoUsd: number): string {
  return String(nanoUsd / 1_000)
}
