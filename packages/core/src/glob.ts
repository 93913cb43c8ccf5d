/** A pattern in which `*` stands for any text, also none; everything else is literal, case included. */
export interface Glob {
  test(text: string): boolean
  /** Literal characters: the more, the more specific. */
  readonly literals: number
}

/** Compiles a pattern. A test takes the pieces between stars from left to right and never goes back. */
export function compileGlob(pattern: string): Glob {
  const pieces = pattern.split('*')
  const literals = pattern.length - pieces.length + 1
  if (pieces.length === 1) return { literals, test: (text) => text === pattern }
  const first = pieces[0]!
  const last = pieces.at(-1)!
  const middle = pieces.slice(1, -1).filter((piece) => piece !== '')
  const test = (text: string) => {
    if (text.length < literals || !text.startsWith(first) || !text.endsWith(last)) return false
    let from = first.length
    for (const piece of middle) {
      const at = text.indexOf(piece, from)
      if (at === -1) return false
      from = at + piece.length
    }
    return from <= text.length - last.length
  }
  return { literals, test }
}
