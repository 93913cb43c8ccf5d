import { suggest } from '../config/suggest.js'
import { HooshError } from '../errors.js'
import type { DlpAction, DlpLevel, DlpOptions, DlpPattern, DlpRuling } from '../options.js'
import { DEFAULT_ACTIONS } from './levels.js'
import { boundedPattern } from './linear.js'
import { UNREADABLE } from './media.js'
import { STAND_IN } from './pseudonyms.js'
import type { Rule } from './rule.js'
import { keyRules } from './rules/keys.js'
import { peopleRules } from './rules/people.js'
import { createScanner, type Scanner } from './scanner.js'

/** What was found in a request, and what follows. Names, never values, but for `restore`. */
export interface Inspection {
  readonly level: DlpLevel
  /** Names of what was found, each once, in the order of the alphabet. */
  readonly patterns: readonly string[]
  /** Names of what blocks the call. */
  readonly blocking: readonly string[]
  /** Names of what keeps the call on local routes. */
  readonly keeping: readonly string[]
  /** The texts as they may go on; null where none changes. */
  readonly texts: readonly string[] | null
  /** What stand-ins in the answer stand for. Kept with the call alone. */
  readonly restore: ReadonlyMap<string, string>
}

/** What a host has ordered, ready to be applied. */
export interface Policy {
  readonly defaultLevel: DlpLevel
  readonly classify: DlpOptions['classify']
  readonly scanner: Scanner
  /** Looks at answers for what is not simply allowed, and for stand-ins; null where the host did not ask for it. */
  readonly answers: Scanner | null
  /** Looks for stand-ins alone. */
  readonly standIns: Scanner
  /** Whether a stream may give plain words on at once: no pattern of the host's own could begin in one. */
  readonly releasesWords: boolean
  /** Names that the host has configured, beside which a classifier may have others. */
  readonly names: ReadonlySet<string>
  /** What a finding means, by its name and the level it has of itself. */
  rule(name: string, level: DlpLevel, own?: DlpRuling): Ruling
}

export interface Ruling {
  readonly level: DlpLevel
  readonly action: DlpAction
}

const BUILT_IN = [...peopleRules, ...keyRules]
const BUILT_IN_NAMES: readonly string[] = [...new Set(BUILT_IN.map(({ name }) => name)), ...UNREADABLE]

/**
 * Reads the host's orders.
 *
 * @throws HooshError `invalid_options` for a name that no built-in pattern has, and for a pattern of the host's own that
 *   is none, has a name that is taken, or could take more than linear time
 */
export function createPolicy(options: DlpOptions): Policy {
  const { builtIn = {}, patterns = [], defaultLevel = 'public' } = options
  for (const name of Object.keys(builtIn)) if (!BUILT_IN_NAMES.includes(name)) throw unknownName(name)
  const own = new Map<string, DlpRuling>()
  for (const [name, ruling] of Object.entries(builtIn)) if (ruling !== false) own.set(name, ruling)
  patterns.forEach(({ name, level, action }, index) => {
    if (BUILT_IN_NAMES.includes(name) || own.has(name)) throw badPattern(index, name, 'has a name that is taken')
    own.set(name, { ...(level !== undefined && { level }), ...(action !== undefined && { action }) })
  })
  const rule = (name: string, level: DlpLevel, given: DlpRuling = {}): Ruling => {
    const ruling = { ...own.get(name), ...given }
    const meant = ruling.level ?? level
    return { level: meant, action: ruling.action ?? options.actions?.[meant] ?? DEFAULT_ACTIONS[meant] }
  }
  const rules = [...BUILT_IN.filter(({ name }) => builtIn[name] !== false), ...patterns.map(customRule)]
  const watched = rules.filter(({ name, level }) => rule(name, level).action !== 'allow')
  return {
    defaultLevel,
    classify: options.classify,
    scanner: createScanner(rules),
    answers: options.answers === true && watched.length > 0 ? createScanner([...watched, STAND_IN]) : null,
    standIns: createScanner([STAND_IN]),
    releasesWords: patterns.length === 0,
    names: new Set(rules.map(({ name }) => name)),
    rule,
  }
}

/** As in the original, a pattern of the host's own is confidential unless it says otherwise. */
function customRule({ name, pattern, level = 'confidential' }: DlpPattern, index: number): Rule {
  const { source, flags } = expressionOf(pattern, index, name)
  const anyCase = flags.includes('i')
  const bounded = boundedPattern(source, anyCase)
  if (typeof bounded === 'string') throw badPattern(index, name, bounded)
  const { more } = bounded
  const family = anyCase ? 'customAnyCase' : 'custom'
  return { name, level, family, pattern: bounded.source, ...(more === undefined ? {} : { more }) }
}

function expressionOf(pattern: string | RegExp, index: number, name: string): RegExp {
  try {
    const expression = typeof pattern === 'string' ? new RegExp(pattern) : pattern
    if (!/^[gi]*$/.test(expression.flags)) throw badPattern(index, name, 'has a flag other than i')
    return expression
  } catch (thrown) {
    throw thrown instanceof HooshError ? thrown : badPattern(index, name, 'is no regular expression')
  }
}

/** The pattern itself stays out of it: it may tell what a company does not talk about. */
function badPattern(index: number, name: string, what: string): HooshError {
  return new HooshError('invalid_options', { message: `dlp.patterns[${index}] ("${name}") ${what}.` })
}

function unknownName(name: string): HooshError {
  const meant = suggest(name, BUILT_IN_NAMES)
  const hint = meant === null ? `there are ${BUILT_IN_NAMES.join(', ')}.` : `did you mean "${meant}"?`
  return new HooshError('invalid_options', {
    message: `dlp.builtIn has "${name}", which is no built-in pattern; ${hint}`,
  })
}
