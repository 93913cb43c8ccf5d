import type { Ask } from '../translated/dialect.js'
import { mediaOf, unreadable } from '../translated/media.js'

/** A block of Anthropic's, or a part of OpenAI's. */
export type Block = Readonly<Record<string, unknown>> & { readonly type?: unknown }

/**
 * A message's content as blocks. Texts, images and files are translated; whatever else has a type (`document`,
 * `search_result`, `tool_reference`) is Anthropic's own and goes up as it is, `cache_control` too. Empty texts, which are
 * refused, are left out.
 *
 * @param param where the content stands, for errors: `messages.3.content`
 */
export function blocksOf(ask: Ask, content: unknown, param: string): Block[] {
  if (content === null || content === undefined || content === '') return []
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return (content as unknown[]).flatMap((part, index) => blockOf(ask, part, `${param}.${index}`))
}

function blockOf(ask: Ask, part: unknown, param: string): Block[] {
  if (typeof part === 'string') return part === '' ? [] : [{ type: 'text', text: part }]
  const { type, ...rest } = part as Block
  if (typeof type !== 'string') throw unreadable(param, 'has no type')
  switch (type) {
    case 'text':
      return rest.text === '' ? [] : [part as Block]
    case 'refusal':
      return [{ type: 'text', text: rest.refusal }]
    case 'image_url':
      return [imageBlock(rest, param)]
    case 'file':
      return fileBlock(ask, rest, param)
    case 'input_audio':
      ask.cannot(param, 'it does not listen')
      return []
    default:
      return [part as Block]
  }
}

/** `detail` has no counterpart: Claude sees what it is shown, scaled to its own limits. */
function imageBlock({ image_url: image, ...more }: Record<string, unknown>, param: string): Block {
  const url = typeof image === 'string' ? image : (image as { url?: unknown } | null | undefined)?.url
  if (typeof url !== 'string') throw unreadable(`${param}.image_url`, 'has no url')
  return { type: 'image', source: sourceOf(url, `${param}.image_url.url`), ...more }
}

function fileBlock(ask: Ask, { file, ...more }: Record<string, unknown>, param: string): Block[] {
  const { file_id: id, file_data: data, filename } = (file ?? {}) as Record<string, unknown>
  const title = typeof filename === 'string' ? { title: filename } : {}
  if (typeof id === 'string') return [{ type: 'document', source: { type: 'file', file_id: id }, ...title, ...more }]
  if (typeof data !== 'string') throw unreadable(`${param}.file`, 'has neither file_id nor file_data')
  const source = sourceOf(data, `${param}.file.file_data`)
  if (source.type === 'url') return [{ type: 'document', source, ...title, ...more }]
  const { media_type: mediaType } = source
  if (mediaType.startsWith('image/')) return [{ type: 'image', source, ...more }]
  if (mediaType === 'application/pdf') return [{ type: 'document', source, ...title, ...more }]
  if (mediaType.startsWith('text/') || mediaType === 'application/json') {
    const text = Buffer.from(source.data, 'base64').toString('utf8')
    return [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: text }, ...title, ...more }]
  }
  ask.cannot(param, `it reads images, PDF and text, not ${mediaType}`)
  return []
}

type Source = { type: 'url'; url: string } | { type: 'base64'; media_type: string; data: string }

function sourceOf(url: string, param: string): Source {
  const media = mediaOf(url, param)
  return media.type === 'url' ? media : { type: 'base64', media_type: media.mediaType, data: media.data }
}
