import { HooshError } from '../errors.js'
import type { DlpFinding, DlpLevel, DlpVerdict } from '../options.js'
import type { Awaitable } from '../time.js'
import { higher } from './levels.js'
import { createPass, type Pass } from './pass.js'
import type { Inspection, Policy, Ruling } from './policy.js'
import { createPseudonyms, type Pseudonyms, STAND_IN } from './pseudonyms.js'
import { type Reading, readingOf, replaced, valueAt } from './reading.js'
import type { RequestContent, Unreadable } from './texts.js'

/** A finding in one text, by positions in the text as it is read. */
interface Found extends Ruling {
  readonly start: number
  readonly end: number
  readonly name: string
}

/** Characters looked at before others get their turn: about ten milliseconds. */
const TURN = 256 * 1024
/** Characters looked at in one go. */
const WINDOW = 64 * 1024

/**
 * Looks through the texts of a request. A promise only where they are long, or the host's classifier is asked.
 *
 * @param ask the host's classifier, told the texts as they are read
 */
export function inspectContent(
  policy: Policy,
  content: RequestContent,
  ask?: (texts: readonly string[]) => Promise<DlpVerdict>,
): Awaitable<Inspection> {
  const { texts, unreadable } = content
  let length = 0
  for (const { text } of texts) length += text.length
  if (ask !== undefined || length > TURN) return inspectLong(policy, content, ask)
  const readings = texts.map(readingOf)
  const found = readings.map(({ text }) => findIn(policy, text))
  return conclusion(policy, { readings, unreadable }, found, {})
}

interface Read {
  readonly readings: readonly Reading[]
  readonly unreadable: ReadonlySet<Unreadable>
}

async function inspectLong(
  policy: Policy,
  { texts, unreadable }: RequestContent,
  ask: ((texts: readonly string[]) => Promise<DlpVerdict>) | undefined,
): Promise<Inspection> {
  const readings = texts.map(readingOf)
  const verdict = await ask?.(readings.map(({ text }) => text))
  const found: Found[][] = []
  let looked = 0
  for (const { text } of readings) {
    const finder = finderOf(policy)
    for (let at = 0; at < text.length; at += WINDOW) {
      finder.pass.push(text.slice(at, at + WINDOW))
      looked += Math.min(WINDOW, text.length - at)
      if (looked < TURN) continue
      looked = 0
      await new Promise((resolve) => setImmediate(resolve))
    }
    finder.pass.end()
    found.push(finder.found)
  }
  return conclusion(policy, { readings, unreadable }, found, verdict ?? {})
}

const NONE: Found[] = []

function findIn(policy: Policy, text: string): Found[] {
  if (policy.scanner.isClean(text)) return NONE
  const { pass, found } = finderOf(policy)
  pass.push(text)
  pass.end()
  return found
}

function finderOf(policy: Policy): { pass: Pass; found: Found[] } {
  const found: Found[] = []
  const rulings = new Map<string, Ruling>()
  const rulingOf = (name: string, level: DlpLevel): Ruling => {
    let ruling = rulings.get(name)
    if (ruling === undefined) {
      ruling = policy.rule(name, level)
      rulings.set(name, ruling)
    }
    return ruling
  }
  let at = 0
  const findings = {
    plain(text: string) {
      at += text.length
    },
    found(rule: { name: string; level: DlpLevel }, value: string) {
      const { level, action } = rulingOf(rule.name, rule.level)
      found.push({ start: at, end: at + value.length, name: rule.name, level, action })
      at += value.length
    },
  }
  return { pass: createPass(policy.scanner, findings, { keepsAll: true, releasesWords: false }), found }
}

function conclusion(
  policy: Policy,
  { readings, unreadable }: Read,
  scanned: readonly Found[][],
  verdict: DlpVerdict,
): Inspection {
  const found = verdict.findings === undefined ? scanned : joined(policy, readings, scanned, verdict.findings)
  const all = [...found.flat(), ...[...unreadable].map((kind) => unread(policy, kind)).filter(isOfNote)]
  // What is said of the content as a whole counts like a finding, under the name of who says it.
  const whole = [{ name: 'default_level', ...policy.rule('default_level', policy.defaultLevel) }]
  if (verdict.level !== undefined) whole.push({ name: 'classifier', ...policy.rule('classifier', verdict.level) })
  const namesOf = (action: Ruling['action']) => {
    return sorted([...all, ...whole].filter((one) => one.action === action).map(({ name }) => name))
  }
  const level = [...all, ...whole].reduce((highest, one) => higher(highest, one.level), policy.defaultLevel)
  const changing = found.map((list) => list.filter(({ action }) => action === 'redact' || action === 'pseudonymise'))
  return {
    level,
    patterns: sorted(all.map(({ name }) => name)),
    blocking: namesOf('block'),
    keeping: namesOf('localOnly'),
    ...(changing.every((list) => list.length === 0) ? UNCHANGED : changed(readings, changing)),
  }
}

/** What cannot be read cannot be redacted either. Token ids are a text that was made unreadable: they stay at home. */
function unread(policy: Policy, name: Unreadable): Ruling & { readonly name: string } {
  const { level, action } = policy.rule(name, name === 'token_ids' ? 'confidential' : 'public')
  return { name, level, action: action === 'redact' || action === 'pseudonymise' ? 'block' : action }
}

function isOfNote({ level, action }: Ruling): boolean {
  return level !== 'public' || action !== 'allow'
}

const UNCHANGED = { texts: null, restore: new Map<string, string>() }

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort()
}

function changed(readings: readonly Reading[], changing: readonly Found[][]): Pick<Inspection, 'texts' | 'restore'> {
  const looksTaken = new RegExp(STAND_IN.pattern, 'g')
  const taken = new Set(readings.flatMap(({ plain }) => plain.match(looksTaken) ?? []))
  const pseudonyms = createPseudonyms((standIn) => taken.has(standIn))
  const texts = readings.map((reading, index) =>
    replaced(
      reading,
      changing[index]!.map((found) => ({ ...found, by: insteadOf(found, reading, pseudonyms) })),
    ),
  )
  return { texts, restore: pseudonyms.values }
}

function insteadOf({ name, action, start, end }: Found, reading: Reading, pseudonyms: Pseudonyms): string {
  return action === 'redact' ? redaction(name) : pseudonyms.of(name, valueAt(reading, start, end))
}

/** What stands in the place of what was removed. */
export function redaction(name: string): string {
  return `[redacted ${name}]`
}

/** What the host's classifier found beside what patterns did; where two overlap, what begins first stays. */
function joined(
  policy: Policy,
  readings: readonly Reading[],
  scanned: readonly Found[][],
  findings: readonly DlpFinding[],
): Found[][] {
  const lists = scanned.map((list) => [...list])
  for (const finding of findings) {
    const { text, start, end, name, level = 'confidential', ...own } = finding
    const reading = readings[text]
    const fits = reading !== undefined && 0 <= start && start < end && end <= reading.text.length
    if (!fits || !/^[A-Za-z]\w{0,39}$/.test(name)) throw badFinding()
    lists[text]!.push({ start, end, name, ...policy.rule(name, level, own) })
  }
  return lists.map((list) => {
    const kept: Found[] = []
    for (const one of list.sort((a, b) => a.start - b.start || b.end - a.end)) {
      if (one.start >= (kept.at(-1)?.end ?? 0)) kept.push(one)
    }
    return kept
  })
}

function badFinding(): HooshError {
  return new HooshError('classifier_failed', {
    message:
      'The classifier named a place that is not in the texts, or gave it no name of letters, digits and underscores.',
  })
}
