/**
 * Writes JSON text (without its escapes) of which parts are replaced, so that it stays JSON: in a string the part alone is
 * replaced, of a number or a word outside of one all of it, by a string; signs between them stay. What does not begin like
 * an object or a list is written like any text.
 */
export interface JsonWriter {
  /** @returns what can be written by now, as is what the others return */
  keep(text: string): string
  replace(text: string, by: (part: string) => string): string
  /** Something else, that belongs into a string. */
  put(text: string): string
  end(): string
}

const SIGNS = '"{}[]:, \t\n\r'
/** Characters of a number or a word that may be kept back: what is longer is none of JSON's. */
const LONGEST = 64

interface State {
  /** Null before the first sign tells. */
  isJson: boolean | null
  isInside: boolean
  /** The beginning of a number or a word outside of strings. */
  word: string
  /** What replaces that. */
  by: ((part: string) => string) | null
}

export function createJsonWriter(): JsonWriter {
  const state: State = { isJson: null, isInside: false, word: '', by: null }
  return {
    keep: (text) => (isJson(state, text) ? written(state, text, null) : text),
    replace: (text, by) => (isJson(state, text) ? written(state, text, by) : by(text)),
    put: (text) => wordOf(state) + text,
    end: () => wordOf(state),
  }
}

function isJson(state: State, text: string): boolean {
  if (state.isJson === null) {
    const first = /\S/.exec(text)
    if (first !== null) state.isJson = first[0] === '{' || first[0] === '['
  }
  return state.isJson === true
}

function written(state: State, text: string, by: State['by']): string {
  let out = ''
  for (let at = 0; at < text.length; at += 1) {
    if (state.isInside) {
      const quote = text.indexOf('"', at)
      const end = quote < 0 ? text.length : quote
      const part = text.slice(at, end)
      out += by === null || part === '' ? part : by(part)
      if (quote >= 0) out += '"'
      state.isInside = quote < 0
      at = end
    } else if (SIGNS.includes(text[at]!)) {
      out += wordOf(state) + text[at]!
      state.isInside = text[at] === '"'
    } else {
      state.word += text[at]!
      if (by !== null) state.by = by
      if (state.word.length > LONGEST) out += wordOf(state)
    }
  }
  return out
}

function wordOf(state: State): string {
  const { word, by } = state
  if (word === '') return ''
  state.word = ''
  state.by = null
  return by === null ? word : `"${by(word)}"`
}
