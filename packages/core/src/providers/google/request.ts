import type { Ask } from '../translated/dialect.js'
import { asksFor, refuseOthers, tellHints } from '../translated/fields.js'
import { conversation } from './contents.js'
import { geminiFacts } from './facts.js'
import { thinkingOf } from './thinking.js'
import { toolsOf } from './tools.js'

type Json = Record<string, unknown>

/** A request, and the function whose arguments are its answer, where one is. */
export interface Asked {
  readonly body: Json
  readonly answerTool: string | undefined
}

/** Google's own fields, beside the messages or in `extra_body.google`, as its OpenAI endpoint has them. */
const OWN = ['thinking_config', 'cached_content', 'safety_settings', 'media_resolution', 'top_k'] as const

const KNOWN = new Set<string>([
  ...OWN,
  'extra_body',
  'include_server_side_tool_invocations',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'logprobs',
  'top_logprobs',
  'n',
  'modalities',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
  'web_search_options',
  'reasoning_effort',
  'service_tier',
  // Whom the answer is for is nothing that Google has a field for, and changes no answer.
  'user',
  'safety_identifier',
])

/** Fields of `generationConfig` under OpenAI's names. */
const SAMPLING: readonly (readonly [theirs: string, ours: string])[] = [
  ['temperature', 'temperature'],
  ['top_p', 'topP'],
  ['seed', 'seed'],
  ['presence_penalty', 'presencePenalty'],
  ['frequency_penalty', 'frequencyPenalty'],
]

/** OpenAI's chat request as a request of `generateContent`. */
export function contentRequest(ask: Ask): Asked {
  refuseOthers(ask, KNOWN)
  tellHints(ask)
  const { params, model } = ask
  const facts = geminiFacts(model)
  const own = ownFields(ask)
  const { tools, config, format, answerTool } = toolsOf(ask, facts)
  const { system, contents } = withQuestion(conversation(ask, facts))
  const thinking = thinkingOf(ask, facts, own.thinking_config)
  const generation: Json = {
    ...sampling(ask, own),
    ...format,
    ...(thinking === undefined ? {} : { thinkingConfig: thinking }),
  }
  if (asksFor(params, 'service_tier') && params.service_tier !== 'auto' && params.service_tier !== 'default')
    ask.cannot('service_tier')
  const body: Json = {
    ...(system.length === 0 ? {} : { systemInstruction: { parts: system } }),
    contents,
    ...(tools === undefined ? {} : { tools }),
    ...(config === undefined ? {} : { toolConfig: config }),
    ...(own.safety_settings == null ? {} : { safetySettings: own.safety_settings }),
    ...(own.cached_content == null ? {} : { cachedContent: own.cached_content }),
    ...(Object.keys(generation).length === 0 ? {} : { generationConfig: generation }),
  }
  return { body, answerTool }
}

/** There has to be something to answer: instructions that stand alone are the question. */
function withQuestion(all: ReturnType<typeof conversation>): ReturnType<typeof conversation> {
  return all.contents.length > 0 ? all : { system: [], contents: [{ role: 'user', parts: all.system }] }
}

function ownFields(ask: Ask): Json {
  const { params } = ask
  const beside = (params.extra_body as { google?: Json } | null | undefined)?.google ?? {}
  const known: readonly string[] = OWN
  for (const field of Object.keys(beside)) if (!known.includes(field)) ask.cannot(`extra_body.google.${field}`)
  return Object.fromEntries(OWN.map((field) => [field, params[field] ?? beside[field]]))
}

function sampling(ask: Ask, own: Json): Json {
  const { params } = ask
  const given: Json = {}
  for (const [theirs, ours] of SAMPLING) if (asksFor(params, theirs)) given[ours] = params[theirs]
  const limit = params.max_completion_tokens ?? params.max_tokens
  if (limit != null) given.maxOutputTokens = limit
  if (asksFor(params, 'stop')) given.stopSequences = [params.stop].flat()
  if (asksFor(params, 'n')) given.candidateCount = params.n
  if (asksFor(params, 'logprobs')) {
    given.responseLogprobs = true
    if (asksFor(params, 'top_logprobs')) given.logprobs = params.top_logprobs
  }
  if (own.top_k != null) given.topK = own.top_k
  const resolution = own.media_resolution ?? resolutionOf(ask)
  if (resolution != null) given.mediaResolution = resolution
  if (asksFor(params, 'modalities')) given.responseModalities = modalities(ask)
  return given
}

function modalities(ask: Ask): string[] {
  return (ask.params.modalities as unknown[]).flatMap((one, index) => {
    if (one === 'text' || one === 'image') return [one.toUpperCase()]
    ask.cannot(`modalities.${index}`, 'it answers with texts and images')
    return []
  })
}

/** `detail` of the images, which Gemini is told for all of them at once; what it does anyway is `high`. */
function resolutionOf(ask: Ask): string | undefined {
  const messages = ask.params.messages as { content?: unknown }[]
  const details = messages.flatMap(({ content }) => {
    if (!Array.isArray(content)) return []
    return (content as Json[]).flatMap((part) => {
      return part?.type === 'image_url' ? [(part.image_url as Json | null | undefined)?.detail ?? 'auto'] : []
    })
  })
  if (!details.includes('low')) return undefined
  if (details.every((detail) => detail === 'low')) return 'MEDIA_RESOLUTION_LOW'
  ask.cannot('messages.image_url.detail', 'it is one for all images')
  return undefined
}
