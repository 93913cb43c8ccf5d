import { escaped, insideJson, meant, unescaped } from './escapes.js'
import { type Folded, folded } from './fold.js'
import type { RequestText } from './texts.js'

/** A text as it is read: the escapes of JSON resolved, disguises removed, and what it was made of. */
export interface Reading {
  readonly text: string
  readonly isJson: boolean
  /** Without the escapes of JSON, but with its disguises. */
  readonly plain: string
  readonly view: Folded
}

export function readingOf({ text, isJson }: RequestText): Reading {
  const plain = isJson ? unescaped(text) : text
  const view = folded(plain)
  return { text: view.text, isJson, plain, view }
}

/** What is put in the place of a part of a text. */
export interface Replacement {
  readonly start: number
  readonly end: number
  readonly by: string
}

/** The text with other parts, in the order of their places, written as it came. */
export function replaced({ isJson, plain, view }: Reading, replacements: readonly Replacement[]): string {
  let result = ''
  let at = 0
  for (const { start, end, by } of replacements) {
    result += written(plain.slice(at, view.origin(start)), isJson) + (isJson ? insideJson(by) : by)
    at = view.origin(end)
  }
  return result + written(plain.slice(at), isJson)
}

/** The value that stands at a place, as the caller meant it. */
export function valueAt({ isJson, plain, view }: Reading, start: number, end: number): string {
  const value = plain.slice(view.origin(start), view.origin(end))
  return isJson ? meant(value) : value
}

function written(text: string, isJson: boolean): string {
  return isJson ? escaped(text) : text
}
