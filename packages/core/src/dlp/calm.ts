const LETTER = 'A-Za-z\\u00c0-\\u024f\\u1e00-\\u1eff'
/**
 * One word and what ends it, without digits and signs that addresses are made of. With a hyphen or an apostrophe inside it
 * is shorter than any key of letters and hyphens alone.
 */
const WORD = new RegExp(
  `["'(]?([${LETTER}]{1,15}|[${LETTER}][${LETTER}'\\u2019-]{0,12}[${LETTER}])[.,;:!?)"']{0,2}\\s+`,
  'y',
)
/** Scripts and signs in which no built-in pattern begins, and white space. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is meant
const OTHER = /(?:[^\x00-\x7f\u00c0-\u00ff]|[\s,;:!?)]|\((?=\D))+/y
/** Words with which a pattern of several words may begin, and one that the lines of a key block begin in. */
const BEGINS =
  /--|key$|(?:^|[^a-z\u00df-\u00ff])(?:calle|avenida|plaza|paseo|carrer|via|viale|piazza|corso)$|(?:stra\u00dfe|strasse|str|weg|platz|allee|gasse|damm|ufer|straat|laan|gracht|plein|kade|singel)$/i

/**
 * Where the plain words that stand at `from` end: no built-in pattern begins in one of them, so a stream need not keep
 * them back. Only words that are over count.
 */
export function afterCalmWords(text: string, from: number): number {
  let at = from
  for (;;) {
    OTHER.lastIndex = at
    if (OTHER.test(text)) {
      at = OTHER.lastIndex
      continue
    }
    WORD.lastIndex = at
    const word = WORD.exec(text)
    if (word === null || BEGINS.test(word[1]!)) return at
    at = WORD.lastIndex
  }
}
