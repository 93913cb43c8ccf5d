import { escaped, meant, unescaped } from './escapes.js'
import { type Folded, folded } from './fold.js'
import { createJsonWriter } from './json-writer.js'
import type { RequestText } from './texts.js'

/** A text as it is read: the escapes of JSON resolved, disguises removed, and what it was made of. */
export interface Reading {
  readonly text: string
  readonly isJson: boolean
  readonly isOpaque: boolean
  /** Without the escapes of JSON, but with its disguises. */
  readonly plain: string
  readonly view: Folded
}

export function readingOf({ text, isJson, isOpaque = false }: RequestText): Reading {
  const plain = isJson ? unescaped(text) : text
  const view = folded(plain, isJson)
  return { text: view.text, isJson, isOpaque, plain, view }
}

/** A part of a text as it is read. */
export interface Place {
  readonly start: number
  readonly end: number
}

/**
 * The text with something else in the place of parts of it, written as it came. JSON stays JSON.
 *
 * @param places in their order
 * @param by letters, digits and signs that JSON has no escapes for, told the value as the caller meant it; of a place that
 *   reaches over several strings of a JSON text it is asked for each
 */
export function replaced<P extends Place>(
  { isJson, plain, view }: Reading,
  places: readonly P[],
  by: (place: P, value: string) => string,
): string {
  const writer = isJson ? createJsonWriter() : null
  let result = ''
  let at = 0
  for (const place of places) {
    const start = view.start(place.start)
    const end = view.end(place.end)
    const [before, value] = [plain.slice(at, start), plain.slice(start, end)]
    if (writer === null) result += before + by(place, value)
    else result += writer.keep(before) + writer.replace(value, (part) => by(place, meant(part)))
    at = end
  }
  const rest = plain.slice(at)
  return writer === null ? result + rest : escaped(result + writer.keep(rest) + writer.end())
}
