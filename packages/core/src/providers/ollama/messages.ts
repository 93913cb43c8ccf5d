import { argumentsOf } from '../translated/arguments.js'
import type { Ask } from '../translated/dialect.js'
import { mediaOf, unreadable } from '../translated/media.js'

type Json = Readonly<Record<string, unknown>>

/** A message as Ollama wants it: one text, pictures beside it. */
export interface OllamaMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string
  readonly [field: string]: unknown
}

/** Messages in their order; instructions may stand anywhere. */
export function messagesOf(ask: Ask): OllamaMessage[] {
  const names = new Map<unknown, string>()
  return (ask.params.messages as readonly Json[]).map((message, index) => {
    const param = `messages.${index}`
    const said = contentOf(ask, message.content, `${param}.content`)
    switch (message.role) {
      case 'system':
      case 'developer':
        return { role: 'system', ...said }
      case 'user':
        return { role: 'user', ...said }
      case 'assistant':
        return { role: 'assistant', ...said, ...assistantFields(message, said.content, { param, names }) }
      case 'tool': {
        const id = message.tool_call_id
        const name = names.get(id)
        if (name === undefined) throw unreadable(`${param}.tool_call_id`, 'is the id of no call before it')
        return { role: 'tool', ...said, tool_name: name, tool_call_id: id }
      }
      default:
        throw unreadable(`${param}.role`, 'must be `tool`: results of functions are not known here')
    }
  })
}

function assistantFields(
  message: Json,
  content: string,
  { param, names }: { param: string; names: Map<unknown, string> },
): object {
  const list = Array.isArray(message.tool_calls) ? (message.tool_calls as Json[]) : []
  const calls = list.map((call, index) => {
    const { name, arguments: text } = (call.function ?? {}) as Json
    const at = `${param}.tool_calls.${index}`
    if (typeof call.id !== 'string' || typeof name !== 'string') throw unreadable(at, 'needs an id and a function')
    names.set(call.id, name)
    return { id: call.id, function: { name, arguments: argumentsOf(text, `${at}.function.arguments`) } }
  })
  const { reasoning_content: thinking, refusal } = message
  return {
    ...(content === '' && typeof refusal === 'string' ? { content: refusal } : {}),
    ...(typeof thinking === 'string' && thinking !== '' ? { thinking } : {}),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  }
}

function contentOf(ask: Ask, content: unknown, param: string): { content: string; images?: string[] } {
  if (typeof content === 'string') return { content }
  if (!Array.isArray(content)) return { content: '' }
  const texts: string[] = []
  const images: string[] = []
  for (const [index, given] of content.entries()) {
    const part = (typeof given === 'string' ? { type: 'text', text: given } : given) as Json
    if (part.type === 'text' || part.type === 'refusal') texts.push(String(part.text ?? part.refusal))
    else images.push(...imagesOf(ask, part, `${param}.${index}`))
  }
  return { content: texts.join('\n'), ...(images.length === 0 ? {} : { images }) }
}

/** Pictures that stand in the request, as images or as files: Ollama fetches none. */
function imagesOf(ask: Ask, part: Json, param: string): string[] {
  const { image_url: image, file } = part as { image_url?: string | Json; file?: Json }
  const url = part.type === 'file' ? file?.file_data : typeof image === 'string' ? image : image?.url
  if (part.type !== 'image_url' && part.type !== 'file') {
    ask.cannot(param, 'it knows texts and pictures')
    return []
  }
  if (typeof url !== 'string') {
    if (part.type === 'image_url') throw unreadable(`${param}.image_url`, 'has no url')
    ask.cannot(param, 'it keeps no files')
    return []
  }
  const media = mediaOf(url, `${param}.${part.type === 'file' ? 'file.file_data' : 'image_url.url'}`)
  if (media.type === 'base64' && media.mediaType.startsWith('image/')) return [media.data]
  ask.cannot(param, media.type === 'url' ? 'it fetches nothing: send the picture itself' : 'it knows pictures only')
  return []
}
