import { REDACTION } from './inspect.js'
import { CARRIED } from './walk.js'

type Fields = Readonly<Record<string, unknown>>

/** A signature, or an encrypted block. */
const SIGNED = /"[A-Za-z0-9+/_-]{100,}={0,2}"/

/**
 * The request without what a provider has signed and we have redacted, now or in the answer it came with: the provider would
 * refuse it, and goes on without it. (Of answers `extra_content` is left out at once; `reasoning_details` may have been
 * told by then.)
 *
 * @param before the request as it came
 * @param params as it is to go on
 */
export function withoutBroken(before: Fields, params: Fields, options: { readonly redactsAnswers: boolean }): Fields {
  const { messages } = params
  if (!Array.isArray(messages)) return params
  const kept = messages.map((message, index) => whole(message, (before.messages as unknown[])[index], options))
  return kept.every((message, index) => message === messages[index]) ? params : { ...params, messages: kept }
}

function whole(message: unknown, before: unknown, options: { readonly redactsAnswers: boolean }): unknown {
  const fields = withoutFields(message, before, options)
  if (!isFields(fields) || !Array.isArray(fields.tool_calls)) return fields
  const { tool_calls: calls } = fields
  const callsBefore = (before as { tool_calls: unknown[] }).tool_calls
  const kept = calls.map((call, index) => withoutFields(call, callsBefore[index], options))
  return kept.every((call, index) => call === calls[index]) ? fields : { ...fields, tool_calls: kept }
}

function withoutFields(value: unknown, before: unknown, { redactsAnswers }: { redactsAnswers: boolean }): unknown {
  if (!isFields(value)) return value
  const broken = [...CARRIED].filter((field) => {
    const isOurs = redactsAnswers && field === 'reasoning_details'
    if (value[field] == null || (!isOurs && value[field] === (before as Fields)[field])) return false
    const json = JSON.stringify(value[field])
    const redactions = countIn(json)
    if (redactions === 0 || !SIGNED.test(json)) return false
    return isOurs || redactions > countIn(JSON.stringify((before as Fields)[field]))
  })
  if (broken.length === 0) return value
  return Object.fromEntries(Object.entries(value).filter(([field]) => !broken.includes(field)))
}

function countIn(json: string): number {
  return json.match(REDACTION)?.length ?? 0
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
