import type { ModelFacts } from '../providers/models.js'
import type { Candidate } from '../routing/route.js'
import type { Call, CallHold } from './call.js'
import { factsOn } from './facts.js'

/** Bytes of a prompt for one token, at the least: fewer tokens than this it cannot have. */
const BYTES_A_TOKEN = 4

/**
 * Whether a model that stands in for another keeps what the call was promised by the first: tools, images, answers by a
 * JSON schema, room for its prompt. What the table does not know, and what the first cannot do either, is no reason.
 *
 * @param first where the call would go if all were well
 */
export function keepsPromises(
  call: Call,
  { bound }: Pick<CallHold, 'bound'>,
  first: Candidate,
  candidate: Candidate,
): boolean {
  if (candidate.model === first.model) return true
  const facts = factsOn(candidate.route, candidate.model)
  if (facts === null) return true
  const before = factsOn(first.route, first.model)
  if (bound.plenty / BYTES_A_TOKEN > facts.contextWindow) return false
  const { params } = call
  return (
    keeps('toolUse', asksForTools(params), facts, before) &&
    keeps('vision', asksForVision(params), facts, before) &&
    keeps('jsonSchema', asksForSchema(params), facts, before)
  )
}

function keeps(
  what: 'toolUse' | 'vision' | 'jsonSchema',
  isAsked: boolean,
  facts: ModelFacts,
  before: ModelFacts | null,
): boolean {
  return !isAsked || facts.capabilities[what] || before?.capabilities[what] === false
}

type Params = Readonly<Record<string, unknown>>

function asksForTools({ tools }: Params): boolean {
  return Array.isArray(tools) && tools.length > 0
}

function asksForSchema({ response_format: format }: Params): boolean {
  return (format as { type?: unknown } | null | undefined)?.type === 'json_schema'
}

function asksForVision({ messages }: Params): boolean {
  if (!Array.isArray(messages)) return false
  return messages.some(({ content }: { content?: unknown }) => {
    return Array.isArray(content) && content.some((part: { type?: unknown }) => part.type === 'image_url')
  })
}
