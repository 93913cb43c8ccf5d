import type { AnswerFilter } from '../dlp/answers.js'
import { hasData, parseData } from './stream-event.js'

type Fields = Readonly<Record<string, unknown>>

/** A plain answer as its caller may have it; the same bytes where nothing changes, null where it is no JSON. */
export function filteredAnswer(filter: AnswerFilter, bytes: Buffer): Buffer | null {
  const json = jsonOf(bytes)
  if (!isFields(json)) return null
  const { changed } = withChoices(filter, json, (index, choice) => filter.choice(index, choice))
  return changed === null ? bytes : Buffer.from(JSON.stringify(changed))
}

const NOTHING = Buffer.alloc(0)

/**
 * A streamed event as its caller may have it, behind what was held back and has to go out before it; nothing where its
 * data cannot be read.
 */
export function filteredEvent(filter: AnswerFilter, event: Buffer): Buffer {
  const text = event.toString('latin1')
  const json = parseData(text)
  if (!isFields(json)) return hasData(text) ? NOTHING : event
  const before: Held[] = []
  const { changed, head } = withChoices(filter, json, (index, choice) => {
    const piece = filter.piece(index, choice)
    for (const delta of piece.before) before.push({ index, delta })
    return piece.now
  })
  if (before.length === 0) return changed === null ? event : Buffer.from(eventOf(changed))
  const { usage: _, ...rest } = head
  return Buffer.from(eventsOf(rest, before) + eventOf(changed ?? json))
}

/** An answer or an event with all of it read: what stands around its choices, and them. Null where nothing changes. */
function withChoices(
  filter: AnswerFilter,
  json: Fields,
  read: (index: number, choice: Fields) => Fields,
): { changed: Fields | null; head: Fields } {
  const { choices, ...rest } = json
  const head = filter.around(Array.isArray(choices) ? rest : json)
  if (!Array.isArray(choices)) return { changed: head === json ? null : head, head }
  const shown = choices.map((choice: unknown, at) => {
    if (!isFields(choice)) return null
    return read(typeof choice.index === 'number' ? choice.index : at, choice)
  })
  const isSame = head === rest && shown.every((choice, at) => choice === choices[at])
  return { changed: isSame ? null : { ...head, choices: shown }, head }
}

/**
 * What a stream still holds back when it ends without saying so, as events in the words of those before.
 *
 * @param sample an event of the answer; null where none had come
 */
export function heldBack(filter: AnswerFilter, sample: string | null): string {
  const rest = filter.rest()
  const said = sample === null ? null : parseData(sample)
  if (rest.length === 0 || !isFields(said)) return ''
  const { id, object, created, model } = said
  const head = filter.around({ id, object, created, model })
  return eventsOf(head, rest)
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return null
  }
}

/** What was held back of a choice. */
interface Held {
  readonly index: number
  readonly delta: Fields
}

function eventsOf(head: Fields, held: readonly Held[]): string {
  return held.map((one) => eventOf({ ...head, choices: [{ ...one, finish_reason: null }] })).join('')
}

function eventOf(json: Fields): string {
  return `data: ${JSON.stringify(json)}\n\n`
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
