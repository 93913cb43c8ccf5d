/** A regular expression as a tree, as far as patterns to look for need it. */
export type Node =
  | { readonly kind: 'set'; readonly source: string }
  | { readonly kind: 'assertion'; readonly source: string }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly min: number; readonly max: number; readonly lazy: string }
  /** Something that is not looked for, in words. */
  | { readonly kind: 'unsupported'; readonly what: string }

interface Reader {
  readonly source: string
  at: number
}

/** Reads the source of a regular expression that JavaScript has already accepted. */
export function parsePattern(source: string): Node {
  return choice({ source, at: 0 })
}

function choice(reader: Reader): Node {
  const options = [sequence(reader)]
  while (reader.source[reader.at] === '|') {
    reader.at += 1
    options.push(sequence(reader))
  }
  return options.length === 1 ? options[0]! : { kind: 'choice', options }
}

function sequence(reader: Reader): Node {
  const items: Node[] = []
  while (reader.at < reader.source.length && !'|)'.includes(reader.source[reader.at]!)) items.push(repeated(reader))
  return { kind: 'sequence', items }
}

const QUANTIFIER = /(?:([*+?])|\{(\d+)(,(\d*))?\})(\??)/y

function repeated(reader: Reader): Node {
  const node = atom(reader)
  QUANTIFIER.lastIndex = reader.at
  const found = QUANTIFIER.exec(reader.source)
  if (found === null) return node
  reader.at = QUANTIFIER.lastIndex
  const [, sign, least, range, most, lazy = ''] = found
  if (sign !== undefined)
    return { kind: 'repeat', node, min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Infinity, lazy }
  const min = Number(least)
  const max = range === undefined ? min : most === '' ? Infinity : Number(most)
  return { kind: 'repeat', node, min, max, lazy }
}

/** A class, an escape, a sign: one character of some set. */
const SET =
  /\[(?:\\.|[^\]\\])*\]|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|c[A-Za-z]|[^1-9kpP])|[^\\()[\]{}*+?^$|]|[\]{}]/suy
const ASSERTION = /\\[bB]|\(\?<?[=!](?:\[(?:\\.|[^\]\\])*\]|\\[a-zA-Z]|[^\\()[*+?{|])\)/suy

function atom(reader: Reader): Node {
  const { source } = reader
  const assertion = taken(ASSERTION, reader)
  if (assertion !== null) return { kind: 'assertion', source: assertion }
  if (source[reader.at] === '(') return group(reader)
  const set = taken(SET, reader)
  if (set !== null) return { kind: 'set', source: set }
  return unsupported(reader, 'an anchor (^, $), a reference back to a group, or a property of Unicode')
}

function group(reader: Reader): Node {
  const opening = /\((?:\?:|\?<[A-Za-z_$][\w$]*>|(?!\?))/y
  if (taken(opening, reader) === null) return unsupported(reader, 'a look ahead or behind at more than one character')
  const inner = choice(reader)
  reader.at += 1 // the closing bracket
  return inner
}

/** The rest is not read. */
function unsupported(reader: Reader, what: string): Node {
  reader.at = reader.source.length
  return { kind: 'unsupported', what }
}

function taken(what: RegExp, reader: Reader): string | null {
  what.lastIndex = reader.at
  const found = what.exec(reader.source)
  if (found === null) return null
  reader.at = what.lastIndex
  return found[0]
}
