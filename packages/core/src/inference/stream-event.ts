import { parseUsage, type ReportedUsage } from '../cost/wire-usage.js'
import { generatedImages } from './generated-images.js'
import { generatedText } from './generated-text.js'

/** What one SSE event of a chat stream is, read from its bytes: only what matters is parsed. */
export interface StreamEvent {
  readonly kind: 'delta' | 'usage' | 'done' | 'error' | 'other'
  /** A choice has ended. */
  readonly finishes: boolean
  /** Null where there is none, or none that can be true. */
  readonly reported: ReportedUsage | null
  /** The usage stands beside no choice, so the event exists for the usage alone. */
  readonly onlyUsage: boolean
  /** Position just behind the opening brace of the usage object, in bytes of the event. */
  readonly usageAt: number
  /** At most this many tokens: bytes of the delta's text, at least 1 where there is a delta. */
  readonly atMostTokens: number
  /** Those of them that are for images. */
  readonly imageTokens: number
  /** Where the delta's text stands, escaped, if it is all that the delta has; -1 where only parsing can tell. */
  readonly textFrom: number
  readonly textTo: number
}

const OTHER: StreamEvent = {
  kind: 'other',
  finishes: false,
  reported: null,
  onlyUsage: false,
  usageAt: -1,
  atMostTokens: 0,
  imageTokens: 0,
  textFrom: -1,
  textTo: -1,
}
const DONE: StreamEvent = { ...OTHER, kind: 'done' }
const ERROR: StreamEvent = { ...OTHER, kind: 'error' }

const LETTER_E = 0x65
const NEXT_LINE = /[\r\n]/
const DATA_LINE = /^data: ?/
const SAYS_ERROR = /^event: ?error/
const ENDS_IN_ERROR = /"finish_reason"\s*:\s*"error"/
const DELTA = '"delta":{'
const CONTENT = '"content":"'
const ROLE = '"role":"assistant"'
/** Signatures and encrypted blocks, which a translated provider has billed with the text they belong to. */
const OPAQUE = '"delta":{"extra_content":'

/**
 * @param text the event's bytes, one character each (latin1), so that positions are byte positions
 */
export function readEvent(text: string): StreamEvent {
  const data = dataStart(text)
  if (text.charCodeAt(0) === LETTER_E && SAYS_ERROR.test(text)) return ERROR
  if (data < 0) return OTHER
  if (text.startsWith('[DONE]', data)) return DONE
  const finishes = saysFinished(text, data)
  // An error beside a choice, as OpenRouter tells it: it looks like an end.
  if (finishes && ENDS_IN_ERROR.test(text)) return ERROR
  const usage = text.indexOf('"usage"', data)
  if (usage >= 0) {
    const withUsage = usageEvent(text, data, usage, finishes)
    if (withUsage !== null) return withUsage
  }
  const choices = text.indexOf('"choices"', data)
  if (choices < 0) return isError(text, data) ? ERROR : OTHER
  const textFrom = textStart(text, choices)
  const textTo = textFrom < 0 ? -1 : textEnd(text, textFrom)
  const isPlain = textTo >= 0
  const size = isPlain ? null : deltaSize(text, choices)
  return {
    kind: 'delta',
    finishes,
    reported: null,
    onlyUsage: false,
    usageAt: -1,
    atMostTokens: size === null ? Math.max(1, textTo - textFrom) : size.atMostTokens,
    imageTokens: size === null ? 0 : size.imageTokens,
    textFrom: isPlain ? textFrom : -1,
    textTo,
  }
}

/** Text in the deltas of an event, tool names and arguments, reasoning and refusals included. */
export function deltaText(text: string): string {
  const json = parseData(text)
  const choices = typeof json === 'object' && json !== null ? (json as { choices?: unknown }).choices : undefined
  if (!Array.isArray(choices)) return ''
  return choices.map((choice) => generatedText((choice as { delta?: unknown } | null)?.delta)).join('')
}

/** The JSON of an event's data, or null. Its lines are one text, and a field of another name between them is none of it. */
export function parseData(text: string): unknown {
  const data = dataStart(text)
  if (data < 0) return null
  const said = Buffer.from(text.slice(data), 'latin1').toString('utf8').trim()
  return parsed(said) ?? (NEXT_LINE.test(said) ? parsed(joined(said)) : null)
}

/** Whether an event says anything: a comment does not. */
export function hasData(text: string): boolean {
  return dataStart(text) >= 0
}

function joined(said: string): string {
  return said
    .split(/\r\n|\n|\r/)
    .map((line, place) => (place === 0 ? line : DATA_LINE.test(line) ? line.replace(DATA_LINE, '') : ''))
    .join('\n')
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

/** Where the data of an event begins; -1 for a comment or an event without data. */
function dataStart(text: string): number {
  let at = 0
  if (!text.startsWith('data:')) {
    const line = /(?:^|[\r\n])data:/.exec(text)
    if (line === null) return -1
    at = line.index + line[0].length - 5
  }
  at += 5
  return text.charCodeAt(at) === 0x20 ? at + 1 : at
}

/** Some providers say `""` for as long as there is more to come. */
function saysFinished(text: string, from: number): boolean {
  for (let at = text.indexOf('"finish_reason"', from); at >= 0; at = text.indexOf('"finish_reason"', at)) {
    at += 15
    while (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x3a) at += 1
    if (text.charCodeAt(at) === 0x22 && text.charCodeAt(at + 1) !== 0x22) return true
  }
  return false
}

function usageEvent(text: string, data: number, usage: number, finishes: boolean): StreamEvent | null {
  let brace = usage + 7
  while (text.charCodeAt(brace) === 0x20 || text.charCodeAt(brace) === 0x3a) brace += 1
  if (text.charCodeAt(brace) !== 0x7b) return null
  const json = parseData(text) as { usage?: unknown; choices?: unknown; x_groq?: { usage?: unknown } } | null
  if (json === null || typeof json !== 'object') return null
  const reported = parseUsage(json.usage ?? json.x_groq?.usage)
  const onlyUsage = !Array.isArray(json.choices) || json.choices.length === 0
  if (reported === null && !(onlyUsage && Array.isArray(json.choices))) return null
  const choices = text.indexOf('"choices"', data)
  return {
    kind: 'usage',
    finishes,
    reported,
    onlyUsage,
    usageAt: json.usage == null || reported === null ? -1 : brace + 1,
    ...(onlyUsage || choices < 0 ? NO_DELTA : deltaSize(text, choices)),
    textFrom: -1,
    textTo: -1,
  }
}

function isError(text: string, data: number): boolean {
  if (text.indexOf('"error"', data) < 0) return text.indexOf('"response.failed"', data) >= 0
  const json = parseData(text) as { error?: unknown; object?: unknown; type?: unknown } | null
  if (json === null || typeof json !== 'object') return false
  return json.error != null || json.object === 'error' || json.type === 'response.failed'
}

/** Where the text of the usual delta begins: content, and perhaps a role before it. -1 where it is another. */
function textStart(text: string, choices: number): number {
  const delta = text.indexOf(DELTA, choices)
  if (delta < 0) return -1
  let at = delta + DELTA.length
  if (text.startsWith(ROLE, at)) at += ROLE.length + 1
  return text.startsWith(CONTENT, at) ? at + CONTENT.length : -1
}

/** Where it ends; -1 where the delta has more than that (a tool call, reasoning), or the event another choice. */
function textEnd(text: string, from: number): number {
  const end = closingQuote(text, from)
  const isAll = text.charCodeAt(end + 1) === 0x7d || text.startsWith(`,${ROLE}}`, end + 1)
  return isAll && text.indexOf(DELTA, end) < 0 ? end : -1
}

type Size = Pick<StreamEvent, 'atMostTokens' | 'imageTokens'>

const NO_DELTA: Size = { atMostTokens: 0, imageTokens: 0 }

/** All bytes from the delta on, but for images: never too few, and 0 where it is empty or carries what is opaque to us. */
function deltaSize(text: string, from: number): Size {
  const delta = text.indexOf('"delta"', from)
  if (delta < 0 || text.startsWith('"delta":{}', delta)) return NO_DELTA
  if (text.startsWith(OPAQUE, delta)) return NO_DELTA
  const { tokens, length } = generatedImages(text.slice(delta))
  return { atMostTokens: text.length - delta - length + tokens, imageTokens: tokens }
}

function closingQuote(text: string, from: number): number {
  let at = from
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote < 0) return text.length
    let slashes = 0
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes += 1
    if (slashes % 2 === 0) return quote
    at = quote + 1
  }
}
