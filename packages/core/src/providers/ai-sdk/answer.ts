import type { Ask } from '../translated/dialect.js'
import { usageOf } from '../translated/usage.js'
import { type CarriedReasoning, callExtra, messageExtra } from './carried.js'
import type { Json } from './messages.js'

const FINISHES: Readonly<Record<string, string>> = {
  stop: 'stop',
  length: 'length',
  'content-filter': 'content_filter',
  'tool-calls': 'tool_calls',
}

/** Version 3 has an object with the provider's own word, version 2 a text. */
export function finishOf(reason: unknown): string {
  const unified = typeof reason === 'string' ? reason : (reason as Json | null | undefined)?.unified
  return FINISHES[String(unified)] ?? 'stop'
}

/** OpenAI's usage; undefined where the package tells none. */
export function wireUsage(usage: unknown): object | undefined {
  const { inputTokens: input, outputTokens: output, ...more } = (usage ?? {}) as Json
  const [prompt, completion] = [totalOf(input), totalOf(output)]
  if (prompt === undefined || completion === undefined) return undefined
  return usageOf({
    prompt,
    completion,
    ...figure('cached', (input as Json).cacheRead ?? more.cachedInputTokens),
    ...figure('cacheWrite', (input as Json).cacheWrite),
    ...figure('reasoning', (output as Json).reasoning ?? more.reasoningTokens),
  })
}

function totalOf(tokens: unknown): number | undefined {
  const total = typeof tokens === 'object' && tokens !== null ? (tokens as Json).total : tokens
  return typeof total === 'number' && Number.isFinite(total) ? total : undefined
}

function figure<Name extends string>(name: Name, value: unknown): { [Key in Name]?: number } {
  return (typeof value === 'number' ? { [name]: value } : {}) as { [Key in Name]?: number }
}

/** A source of a page as OpenAI's annotation. */
export function annotationOf({ sourceType, url, title }: Json): object[] {
  return sourceType === 'url' ? [{ type: 'url_citation', url_citation: { url, title: title ?? '' } }] : []
}

/** A file that the model has made: images as OpenRouter tells them. */
export function imageOf({ mediaType, data }: Json): object[] {
  if (!String(mediaType).startsWith('image/')) return []
  const base64 = data instanceof Uint8Array ? Buffer.from(data).toString('base64') : String(data)
  return [{ type: 'image_url', image_url: { url: `data:${String(mediaType)};base64,${base64}` } }]
}

/** A result of `doGenerate` as a chat completion. */
export function completionOf(ask: Ask, result: Json): object {
  const content = result.content as readonly Json[]
  const response = (result.response ?? {}) as Json
  const of = (type: string) => content.filter((part) => part.type === type)
  const textOf = (type: string) =>
    of(type)
      .map(({ text }) => text)
      .join('')
  const reasoning = of('reasoning').map(
    ({ text, providerMetadata }) => ({ text, providerMetadata }) as CarriedReasoning,
  )
  const calls = of('tool-call').filter(({ providerExecuted }) => providerExecuted !== true)
  const annotations = of('source').flatMap(annotationOf)
  const images = of('file').flatMap(imageOf)
  const extra = messageExtra(reasoning)
  const text = textOf('text')
  const message = {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning.length === 0 ? {} : { reasoning_content: textOf('reasoning') }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(callOf) }),
    ...(annotations.length === 0 ? {} : { annotations }),
    ...(images.length === 0 ? {} : { images }),
    ...(extra === undefined ? {} : { extra_content: extra }),
  }
  const usage = wireUsage(result.usage)
  return {
    id: response.id ?? ask.requestId,
    object: 'chat.completion',
    created: ask.created,
    model: response.modelId ?? ask.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishOf(result.finishReason) }],
    ...(usage === undefined ? {} : { usage }),
  }
}

function callOf({ toolCallId, toolName, input, providerMetadata }: Json): object {
  const extra = callExtra(providerMetadata)
  return {
    id: toolCallId,
    type: 'function',
    function: { name: toolName, arguments: typeof input === 'string' ? input : JSON.stringify(input ?? {}) },
    ...(extra === undefined ? {} : { extra_content: extra }),
  }
}
