import { escaped, meant, unescaped } from './escapes.js'
import { type Folded, folded } from './fold.js'
import { createJsonWriter } from './json-writer.js'
import { eachPlace, type Places } from './places.js'
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

/**
 * The text with something else in the place of parts of it, written as it came. JSON stays JSON.
 *
 * @param places in the text as it is read
 * @param by letters, digits and signs that JSON has no escapes for, told the kind of the place and the value as the caller meant
 *   it; of a place that reaches over several strings of a JSON text it is asked for each
 */
export function replaced(
  { isJson, plain, view }: Reading,
  places: Places,
  by: (kind: number, value: string) => string,
): string {
  const writer = isJson ? createJsonWriter() : null
  let result = ''
  let at = 0
  eachPlace(places, (from, to, kind) => {
    const start = view.start(from)
    const end = view.end(to)
    const before = plain.slice(at, start)
    const value = plain.slice(start, end)
    if (writer === null) result += before + by(kind, value)
    else result += writer.keep(before) + writer.replace(value, (part) => by(kind, meant(part)))
    at = end
  })
  const rest = plain.slice(at)
  return writer === null ? result + rest : escaped(result + writer.keep(rest) + writer.end())
}
