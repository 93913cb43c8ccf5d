import { escaped, meant, unescaped } from './escapes.js'
import { type Folded, folded } from './fold.js'
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
 * The text with something else in the place of parts of it, written as it came.
 *
 * @param places in their order
 * @param by letters, digits and signs that JSON has no escapes for
 */
export function replaced<P extends Place>(
  { isJson, plain, view }: Reading,
  places: readonly P[],
  by: (place: P) => string,
): string {
  let result = ''
  let at = 0
  for (const place of places) {
    result += plain.slice(at, view.start(place.start)) + by(place)
    at = view.end(place.end)
  }
  result += plain.slice(at)
  return isJson ? escaped(result) : result
}

/** The value that stands at a place, as the caller meant it. */
export function valueAt({ isJson, plain, view }: Reading, start: number, end: number): string {
  const value = plain.slice(view.start(start), view.end(end))
  return isJson ? meant(value) : value
}
