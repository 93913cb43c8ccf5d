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
  /**
   * Where a match that began is at its end: what continues it, from `from` on.
   *
   * @param final the text ends here; else it may go on
   */
  continued(rule: Rule, text: string, from: number, final: boolean): Continuation
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
  /** At one place, the rules after one that can fail its check. */
  readonly others: readonly (RegExp | null)[]
}

export function createScanner(rules: readonly Rule[]): Scanner {
  const families = [...new Set(rules.map(({ family }) => family))]
  const searchers = families.map((family) =>
    searcher(
      family,
      rules.filter((rule) => rule.family === family),
    ),
  )
  const endings = new Map<Rule, RegExp>()
  for (const rule of rules) {
    if (rule.until !== undefined) endings.set(rule, new RegExp(rule.until, 'g'))
    else if (rule.more !== undefined) endings.set(rule, new RegExp(`[${rule.more}]*`, 'y'))
  }
  return {
    next: (text, from, cursor) => firstOf(searchers, text, from, cursor),
    continued: (rule, text, from, final) => continued(rule, endings.get(rule), text, from, final),
  }
}

function searcher(family: Family, rules: readonly Rule[]): Searcher {
  const guard = GUARDS[family]
  const anyCase = family === 'customAnyCase' ? 'i' : ''
  const oneOf = (some: readonly Rule[], flags: string) =>
    new RegExp(`${guard}(?:${some.map(({ pattern }) => `(${pattern})`).join('|')})`, flags + anyCase)
  return {
    needs: NEEDS[family],
    rules,
    all: oneOf(rules, 'g'),
    others: rules.map(({ check }, index) => {
      const after = rules.slice(index + 1)
      return check === undefined || after.length === 0 ? null : oneOf(after, 'y')
    }),
  }
}

function firstOf(searchers: readonly Searcher[], text: string, from: number, cursor: Cursor): Match | null {
  let first: Match | null = null
  for (let index = 0; index < searchers.length; index += 1) {
    let known = cursor[index]
    if (known === undefined || (known !== null && known.start < from)) {
      known = search(searchers[index]!, text, from)
      cursor[index] = known
    }
    if (known !== null && (first === null || comesBefore(known, first))) first = known
  }
  return first
}

function comesBefore(one: Match, other: Match): boolean {
  return one.start < other.start || (one.start === other.start && one.end > other.end)
}

function search({ needs, rules, all, others }: Searcher, text: string, from: number): Match | null {
  if (needs !== undefined && text.indexOf(needs, from) < 0) return null
  all.lastIndex = from
  for (let found = all.exec(text); found !== null; found = all.exec(text)) {
    const start = found.index
    let index = firstGroup(found) - 1
    let length = checked(rules[index]!, found[0])
    // A rule that matches here may fail its check, and one after it match in its place.
    for (let other = others[index]!; length === 0 && other !== null; other = others[index]!) {
      other.lastIndex = start
      const instead = other.exec(text)
      if (instead === null) break
      index += firstGroup(instead)
      length = checked(rules[index]!, instead[0])
    }
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

function checked({ check }: Rule, match: string): number {
  return check === undefined ? match.length : check(match)
}

/** Where a match ends; `open` where the text ends before it does. */
export interface Continuation {
  readonly end: number
  readonly open: boolean
}

/** Characters that may belong to the end of a long match, and so are kept until more has come. */
const LONGEST_UNTIL = 100

function continued(
  { until }: Rule,
  ending: RegExp | undefined,
  text: string,
  from: number,
  final: boolean,
): Continuation {
  if (ending === undefined) return { end: from, open: false }
  ending.lastIndex = from
  const found = ending.exec(text)
  if (until === undefined) {
    const end = from + found![0].length
    return { end, open: !final && end === text.length }
  }
  if (found !== null) return { end: found.index + found[0].length, open: false }
  return final ? { end: text.length, open: false } : { end: Math.max(from, text.length - LONGEST_UNTIL), open: true }
}

/** Where matches may still begin that the end of the text hides: what begins before has all it can need. */
export function undecidedFrom(text: string): number {
  return Math.max(0, text.length - LONGEST_MATCH)
}
