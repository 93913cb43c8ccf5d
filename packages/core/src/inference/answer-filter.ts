import type { AnswerFilter } from '../dlp/answers.js'
import { parseData } from './stream-event.js'

type Fields = Readonly<Record<string, unknown>>

/** A plain answer as its caller may have it; the same bytes where nothing changes, null where it is no JSON. */
export function filteredAnswer(filter: AnswerFilter, bytes: Buffer): Buffer | null {
  const json = jsonOf(bytes)
  if (!isFields(json)) return null
  if (!Array.isArray(json.choices)) return bytes
  const choices = json.choices.map((choice: unknown, at) => (isFields(choice) ? filter.choice(at, choice) : choice))
  if (choices.every((choice, at) => choice === (json.choices as unknown[])[at])) return bytes
  return Buffer.from(JSON.stringify({ ...json, choices }))
}

/** A streamed event as its caller may have it, behind what was held back and has to go out before it. */
export function filteredEvent(filter: AnswerFilter, event: Buffer): Buffer {
  const json = parseData(event.toString('latin1'))
  if (!isFields(json) || !Array.isArray(json.choices)) return event
  const before: Fields[] = []
  const choices = json.choices.map((choice: unknown, at) => {
    if (!isFields(choice)) return choice
    const index = typeof choice.index === 'number' ? choice.index : at
    const piece = filter.piece(index, choice)
    if (piece.before !== null) before.push(choiceOf(index, piece.before))
    return piece.now
  })
  if (before.length === 0 && choices.every((choice, at) => choice === (json.choices as unknown[])[at])) return event
  const { usage: _, ...head } = json
  const held = before.length === 0 ? '' : eventOf({ ...head, choices: before })
  return Buffer.from(held + eventOf({ ...json, choices }))
}

/**
 * What a stream still holds back when it ends without saying so, as an event in the words of those before.
 *
 * @param sample an event of the answer; null where none had come
 */
export function heldBack(filter: AnswerFilter, sample: string | null): string {
  const rest = filter.rest()
  const said = sample === null ? null : parseData(sample)
  if (rest.length === 0 || !isFields(said)) return ''
  const { id, object, created, model } = said
  return eventOf({ id, object, created, model, choices: rest.map(({ index, delta }) => choiceOf(index, delta)) })
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return null
  }
}

function choiceOf(index: number, delta: Fields): Fields {
  return { index, delta, finish_reason: null }
}

function eventOf(json: Fields): string {
  return `data: ${JSON.stringify(json)}\n\n`
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
