import { type Family, LONGEST_MATCH, type Rule } from './rule.js'

/** A place in a text where a rule matches; `end` is that of the match without what continues it. */
export interface Match {
  readonly rule: Rule
  readonly start: number
  readonly end: number
}

/** Looks for many rules at once. Keeps nothing between two calls. */
export interface Scanner {
  /** The first match that begins at `from` or later; of several the longest, then that of the rule named first. */
  next(text: string, from: number, cursor: Cursor): Match | null
  /** Whether nothing matches anywhere in a text. */
  isClean(text: string): boolean
}

/** What the search of one text knows: the next match of each family, so that no text is searched twice. */
export type Cursor = (Match | null | undefined)[]

/** What may not stand before a match. */
const GUARDS: Readonly<Record<Family, string>> = {
  mail: '',
  keys: '(?<![A-Za-z0-9_])',
  cards: '(?<!\\w|\\d[.-])',
  numbers: '(?<!\\w|\\d[.-])',
  accounts: '(?<![A-Za-z0-9_])',
  addresses: '(?<![\\w\\u00c0-\\u00ff])',
  words: '',
  standIns: '',
  custom: '',
  customAnyCase: '',
}

/** A character without which no rule of a family can match: looking for it costs next to nothing. */
const NEEDS: Readonly<Partial<Record<Family, string>>> = { mail: '@', standIns: '[' }

interface Searcher {
  readonly needs: string | undefined
  readonly rules: readonly Rule[]
  /** All rules of the family, each in a group of its own. */
  readonly all: RegExp
  /** Each by itself, at one place. */
  readonly each: readonly RegExp[]
}

export function createScanner(rules: readonly Rule[]): Scanner {
  const families = [...new Set(rules.map(({ family }) => family))]
  const searchers = families.map((family) =>
    searcher(
      family,
      rules.filter((rule) => rule.family === family),
    ),
  )
  return {
    next(text, from, cursor) {
      let first: Match | null = null
      searchers.forEach((one, index) => {
        let known = cursor[index]
        if (known === undefined || (known !== null && known.start < from)) {
          known = search(one, text, from)
          cursor[index] = known
        }
        if (known !== null && (first === null || comesBefore(known, first))) first = known
      })
      return first
    },
    isClean: (text) => searchers.every((one) => search(one, text, 0) === null),
  }
}

function searcher(family: Family, rules: readonly Rule[]): Searcher {
  const guard = GUARDS[family]
  const flags = family === 'customAnyCase' ? 'gi' : 'g'
  const sticky = family === 'customAnyCase' ? 'yi' : 'y'
  return {
    needs: NEEDS[family],
    rules,
    all: new RegExp(`${guard}(?:${rules.map(({ pattern }) => `(${pattern})`).join('|')})`, flags),
    each: rules.map(({ pattern }) => new RegExp(`${guard}(?:${pattern})`, sticky)),
  }
}

function comesBefore(one: Match, other: Match): boolean {
  return one.start < other.start || (one.start === other.start && one.end > other.end)
}

function search({ needs, rules, all, each }: Searcher, text: string, from: number): Match | null {
  if (needs !== undefined && text.indexOf(needs, from) < 0) return null
  all.lastIndex = from
  for (let found = all.exec(text); found !== null; found = all.exec(text)) {
    const start = found.index
    // The first rule that matches here may fail its check, and another match in its place.
    let index = firstGroup(found) - 1
    let length = checked(rules[index]!, found[0])
    while (length === 0 && ++index < rules.length) length = lengthAt(rules[index]!, each[index]!, text, start)
    if (length > 0) return { rule: rules[index]!, start, end: start + length }
    all.lastIndex = start + 1
  }
  return null
}

function firstGroup(found: RegExpExecArray): number {
  let group = 1
  while (found[group] === undefined) group += 1
  return group
}

function lengthAt(rule: Rule, pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start
  const found = pattern.exec(text)
  return found === null ? 0 : checked(rule, found[0])
}

function checked({ check }: Rule, match: string): number {
  return check === undefined ? match.length : check(match)
}

/** Where a match that began is at its end: what continues it, from `from` on. `open` where the text ends before it does. */
export interface Continuation {
  readonly end: number
  readonly open: boolean
}

/** Characters that may belong to the end of a long match, and so are kept until more has come. */
const LONGEST_UNTIL = 100

/**
 * @param final the text ends here; else it may go on
 */
export function continued(rule: Rule, text: string, from: number, final: boolean): Continuation {
  if (rule.until !== undefined) {
    const until = new RegExp(rule.until, 'g')
    until.lastIndex = from
    const found = until.exec(text)
    if (found !== null) return { end: found.index + found[0].length, open: false }
    return final ? { end: text.length, open: false } : { end: Math.max(from, text.length - LONGEST_UNTIL), open: true }
  }
  if (rule.more === undefined) return { end: from, open: false }
  const run = new RegExp(`[${rule.more}]*`, 'y')
  run.lastIndex = from
  run.exec(text)
  const end = run.lastIndex
  return { end, open: !final && end === text.length }
}

/** Where matches may still begin that the end of the text hides: what begins before has all it can need. */
export function undecidedFrom(text: string): number {
  return Math.max(0, text.length - LONGEST_MATCH)
}
