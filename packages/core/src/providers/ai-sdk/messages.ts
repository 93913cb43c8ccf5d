import type { Ask } from '../translated/dialect.js'
import { mediaOf, unreadable } from '../translated/media.js'
import { carriedIn, carriedOfCall } from './carried.js'

export type Json = Readonly<Record<string, unknown>>

/** What a model of the AI SDK can be shown, beside text. */
export interface Sight {
  /** Whether it fetches such a URL itself; whatever it does not would have to be fetched here, which is not done. */
  fetches(url: string, mediaType: string): boolean
  /** Version 2 has one name for media in the results of tools where version 3 has several. */
  readonly isV2: boolean
}

const AUDIO_TYPES: Readonly<Record<string, string>> = { wav: 'audio/wav', mp3: 'audio/mpeg' }

/** OpenAI's messages as a prompt of the AI SDK. Results of tools that follow one another are one message of it. */
export function promptOf(ask: Ask, sight: Sight): Json[] {
  const messages = ask.params.messages as readonly Json[]
  const toolNames = new Map<string, string>()
  const prompt: Json[] = []
  for (const [index, message] of messages.entries()) {
    const param = `messages.${index}`
    switch (message.role) {
      case 'system':
      case 'developer':
        prompt.push({ role: 'system', content: textOf(message.content) })
        break
      case 'user':
        prompt.push({ role: 'user', content: partsOf(ask, message.content, `${param}.content`, sight) })
        break
      case 'assistant':
        prompt.push({ role: 'assistant', content: saidOf(message, toolNames, param) })
        break
      case 'tool': {
        const result = resultOf(ask, message, toolNames, `${param}.content`, sight)
        const last = prompt.at(-1)
        if (last?.role === 'tool') (last.content as Json[]).push(result)
        else prompt.push({ role: 'tool', content: [result] })
        break
      }
      default:
        throw unreadable(`${param}.role`, 'is none of system, developer, user, assistant and tool')
    }
  }
  return prompt
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  return Array.isArray(content)
    ? content.map((part) => (typeof part === 'string' ? part : (part?.text ?? ''))).join('')
    : ''
}

function partsOf(ask: Ask, content: unknown, param: string, sight: Sight): Json[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  if (!Array.isArray(content)) throw unreadable(param, 'is neither a text nor a list of parts')
  return content.flatMap((part: unknown, index) => partOf(ask, part, `${param}.${index}`, sight))
}

function partOf(ask: Ask, part: unknown, param: string, sight: Sight): Json[] {
  if (typeof part === 'string') return [{ type: 'text', text: part }]
  const { type, text, image_url: image, input_audio: audio, file } = part as Record<string, unknown>
  if (type === 'text') return [{ type: 'text', text }]
  if (type === 'image_url') {
    const url = typeof image === 'string' ? image : (image as Json | undefined)?.url
    if (typeof url !== 'string') throw unreadable(`${param}.image_url`, 'has no url')
    return fileAt(ask, url, 'image/*', `${param}.image_url`, sight)
  }
  if (type === 'input_audio') {
    const { data, format } = (audio ?? {}) as Json
    if (typeof data !== 'string') throw unreadable(`${param}.input_audio`, 'has no data')
    return [{ type: 'file', data, mediaType: AUDIO_TYPES[String(format)] ?? `audio/${String(format)}` }]
  }
  if (type === 'file') {
    const { file_data: data, filename } = (file ?? {}) as Json
    if (typeof data === 'string') {
      const name = typeof filename === 'string' ? { filename } : {}
      return fileAt(ask, data, 'application/pdf', `${param}.file`, sight).map((one) => ({ ...one, ...name }))
    }
  }
  ask.cannot(param)
  return []
}

function fileAt(ask: Ask, url: string, mediaType: string, param: string, sight: Sight): Json[] {
  const media = /^data:/i.test(url) ? mediaOf(url, param) : null
  if (media?.type === 'base64') return [{ type: 'file', data: media.data, mediaType: media.mediaType }]
  if (!URL.canParse(url)) throw unreadable(param, 'is neither a URL nor data in base64')
  if (sight.fetches(url, mediaType)) return [{ type: 'file', data: new URL(url), mediaType }]
  ask.cannot(param, 'it does not fetch this address itself; send the data in base64')
  return []
}

function saidOf(message: Json, toolNames: Map<string, string>, param: string): Json[] {
  const parts: Json[] = carriedIn(message).map(({ text, providerMetadata }) => {
    return { type: 'reasoning', text, ...(providerMetadata === undefined ? {} : { providerOptions: providerMetadata }) }
  })
  const text = textOf(message.content) || (typeof message.refusal === 'string' ? message.refusal : '')
  if (text !== '') parts.push({ type: 'text', text })
  for (const [index, call] of ((message.tool_calls ?? []) as Json[]).entries()) {
    const { name, arguments: given } = (call.function ?? {}) as Json
    if (typeof call.id !== 'string' || typeof name !== 'string')
      throw unreadable(`${param}.tool_calls.${index}`, 'has no id, or no name of a function')
    toolNames.set(call.id, name)
    const providerOptions = carriedOfCall(call)
    parts.push({
      type: 'tool-call',
      toolCallId: call.id,
      toolName: name,
      input: inputOf(given, `${param}.tool_calls.${index}.function.arguments`),
      ...(providerOptions === undefined ? {} : { providerOptions }),
    })
  }
  return parts
}

function inputOf(given: unknown, param: string): unknown {
  if (typeof given !== 'string') return given ?? {}
  if (given.trim() === '') return {}
  try {
    return JSON.parse(given)
  } catch {
    throw unreadable(param, 'is no JSON')
  }
}

function resultOf(
  ask: Ask,
  { tool_call_id: id, content }: Json,
  toolNames: ReadonlyMap<string, string>,
  param: string,
  sight: Sight,
): Json {
  if (typeof id !== 'string') throw unreadable(param.replace(/content$/, 'tool_call_id'), 'is missing')
  const parts = partsOf(ask, content ?? '', param, sight)
  const output = parts.every(({ type }) => type === 'text')
    ? { type: 'text', value: parts.map(({ text }) => text).join('') }
    : { type: 'content', value: parts.map((part) => resultPart(part, sight)) }
  return { type: 'tool-result', toolCallId: id, toolName: toolNames.get(id) ?? id, output }
}

function resultPart(part: Json, { isV2 }: Sight): Json {
  if (part.type === 'text') return part
  const { data, mediaType } = part
  if (data instanceof URL)
    return { type: String(mediaType).startsWith('image/') ? 'image-url' : 'file-url', url: data.href }
  if (isV2) return { type: 'media', data, mediaType }
  return { type: String(mediaType).startsWith('image/') ? 'image-data' : 'file-data', data, mediaType }
}
