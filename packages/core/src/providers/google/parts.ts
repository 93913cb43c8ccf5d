import type { Ask } from '../translated/dialect.js'
import { mediaOf, unreadable } from '../translated/media.js'

/** A part of Gemini's. */
export type Part = Readonly<Record<string, unknown>>

type Json = Readonly<Record<string, unknown>>

/** Types by the ending of a name, for URLs and uploaded files, whose type is not told. */
const TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  heic: 'image/heic',
  heif: 'image/heif',
  pdf: 'application/pdf',
  txt: 'text/plain',
  md: 'text/markdown',
  html: 'text/html',
  csv: 'text/csv',
  json: 'application/json',
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
  ogg: 'audio/ogg',
  flac: 'audio/flac',
  aac: 'audio/aac',
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  webm: 'video/webm',
}

/** Gemini's own fields of a part that stand in its `extra_content.google`. */
const BESIDE = ['video_metadata', 'media_resolution', 'thought_signature'] as const

/**
 * A message's content as parts. Empty texts are left out: a part has to say something.
 *
 * @param param where the content stands, for errors: `messages.3.content`
 */
export function partsOf(ask: Ask, content: unknown, param: string): Part[] {
  if (content === null || content === undefined || content === '') return []
  if (typeof content === 'string') return [{ text: content }]
  return (content as unknown[]).flatMap((part, index) => partOf(ask, part, `${param}.${index}`))
}

function partOf(ask: Ask, given: unknown, param: string): Part[] {
  if (typeof given === 'string') return given === '' ? [] : [{ text: given }]
  const part = given as Json
  const translated = translatedPart(ask, part, param)
  if (translated === null) return []
  const beside = (part.extra_content as Json | null | undefined)?.google as Json | null | undefined
  if (beside == null) return [translated]
  return [
    { ...translated, ...Object.fromEntries(BESIDE.flatMap((key) => (key in beside ? [[key, beside[key]]] : []))) },
  ]
}

function translatedPart(ask: Ask, part: Json, param: string): Part | null {
  switch (part.type) {
    case 'text':
      return part.text === '' ? null : { text: part.text }
    case 'refusal':
      return { text: part.refusal }
    case 'image_url':
      return located(part.image_url, `${param}.image_url`)
    case 'video_url':
      return located(part.video_url, `${param}.video_url`, 'video/mp4')
    case 'input_audio':
      return audioPart(part.input_audio as Json | null | undefined, param)
    case 'file':
      return filePart((part.file ?? {}) as Json, param)
    default:
      ask.cannot(param, 'it knows texts, images, recordings, videos and files')
      return null
  }
}

function located(given: unknown, param: string, otherwise?: string): Part {
  const url = typeof given === 'string' ? given : (given as Json | null | undefined)?.url
  if (typeof url !== 'string') throw unreadable(param, 'has no url')
  const media = mediaOf(url, `${param}.url`)
  return media.type === 'url' ? fileData(media.url, typeByName(media.url) ?? otherwise) : inlineData(media)
}

function audioPart(audio: Json | null | undefined, param: string): Part {
  if (typeof audio?.data !== 'string' || typeof audio.format !== 'string')
    throw unreadable(`${param}.input_audio`, 'needs data and a format')
  return inlineData({ mediaType: TYPES[audio.format] ?? `audio/${audio.format}`, data: audio.data })
}

/** `file_id` is the URI of an uploaded file; `format` its type, where no name tells it. */
function filePart({ file_id: id, file_data: data, filename, format }: Json, param: string): Part {
  const name = typeof filename === 'string' ? filename : ''
  if (typeof id === 'string') {
    return fileData(id, typeof format === 'string' ? format : (typeByName(name) ?? typeByName(id)))
  }
  if (typeof data !== 'string') throw unreadable(`${param}.file`, 'has neither file_id nor file_data')
  const media = mediaOf(data, `${param}.file.file_data`)
  return media.type === 'url' ? fileData(media.url, typeByName(media.url) ?? typeByName(name)) : inlineData(media)
}

function inlineData({ mediaType, data }: { mediaType: string; data: string }): Part {
  return { inlineData: { mimeType: mediaType, data } }
}

function fileData(fileUri: string, mimeType: string | undefined): Part {
  return { fileData: { ...(mimeType === undefined ? {} : { mimeType }), fileUri } }
}

function typeByName(name: string): string | undefined {
  const path = URL.canParse(name) ? new URL(name).pathname : name
  return TYPES[/\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? '']
}
