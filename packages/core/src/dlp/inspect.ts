import { setImmediate as nextTurn } from 'node:timers/promises'
import { HooshError } from '../errors.js'
import type { DlpFinding, DlpVerdict } from '../options.js'
import type { Awaitable } from '../time.js'
import { meant } from './escapes.js'
import { higher } from './levels.js'
import type { Unreadable } from './media.js'
import { createPass, type Findings, passWhole } from './pass.js'
import { addPlace, eachPlace, noPlaces, type Places } from './places.js'
import type { Inspection, Policy, Ruling } from './policy.js'
import { createPseudonyms, STAND_IN } from './pseudonyms.js'
import { type Reading, readingOf, replaced } from './reading.js'
import { isChance } from './rule.js'
import type { RequestContent } from './texts.js'

/** What findings of one name are: shared by them, for there may be as many as a text has words. */
interface Kind extends Ruling {
  readonly name: string
  /** What stands in the place of what was removed. */
  readonly redaction: string
}

/** What was found in one text: the kinds of it, and where, by positions in the text as it is read. */
interface Found {
  readonly kinds: readonly Kind[]
  readonly places: Places
}

/** Characters looked at before others get their turn: about ten milliseconds. */
const TURN = 256 * 1024
/** Characters looked at in one go. */
const WINDOW = 64 * 1024
/** A text costs as much as so many characters, however short it is. */
const EACH = 64

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
  for (const { text } of texts) length += text.length + EACH
  if (ask !== undefined || length > TURN) return inspectLong(policy, content, ask)
  const readings = texts.map(readingOf)
  const found = readings.map((reading) => findIn(policy, reading))
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
  const readings: Reading[] = []
  let looked = 0
  const isOver = (length: number) => {
    looked += length
    if (looked < TURN) return false
    looked = 0
    return true
  }
  for (const text of texts) {
    readings.push(readingOf(text))
    if (isOver(text.text.length / 4 + EACH)) await nextTurn()
  }
  const verdict = await ask?.(
    readings.map(({ text, isJson, isOpaque }) => (isOpaque ? '' : isJson ? meant(text) : text)),
  )
  const found: Found[] = []
  for (const reading of readings) {
    const { text } = reading
    if (text.length <= WINDOW) {
      found.push(findIn(policy, reading))
      if (isOver(text.length + EACH)) await nextTurn()
      continue
    }
    const one = collector(policy, reading)
    const pass = createPass(policy.scanner, one.findings, { releasesWords: false })
    for (let at = 0; at < text.length; at += WINDOW) {
      pass.push(text.slice(at, at + WINDOW))
      if (isOver(WINDOW)) await nextTurn()
    }
    pass.end()
    found.push(one.found)
  }
  return conclusion(policy, { readings, unreadable }, found, verdict ?? {})
}

const NONE: Found = { kinds: [], places: noPlaces() }

function findIn(policy: Policy, reading: Reading): Found {
  const { findings, found } = collector(policy, reading)
  return passWhole(policy.scanner, reading.text, findings) ? found : NONE
}

function collector(policy: Policy, { isOpaque }: Reading): { findings: Findings; found: Found } {
  const kinds: Kind[] = []
  const numbers = new Map<string, number>()
  const places = noPlaces()
  let at = 0
  const findings: Findings = {
    plain(_text, start, end) {
      at += end - start
    },
    found(rule, _beginning, length) {
      const { name, level } = rule
      if (isOpaque && isChance(rule, at)) {
        at += length
        return
      }
      let kind = numbers.get(name)
      if (kind === undefined) {
        kind = kinds.push(kindOf(name, policy.rule(name, level))) - 1
        numbers.set(name, kind)
      }
      addPlace(places, at, at + length, kind)
      at += length
    },
  }
  return { findings, found: { kinds, places } }
}

function kindOf(name: string, { level, action }: Ruling): Kind {
  return { name, level, action, redaction: redaction(name) }
}

function conclusion(
  policy: Policy,
  { readings, unreadable }: Read,
  scanned: readonly Found[],
  verdict: DlpVerdict,
): Inspection {
  const found = verdict.findings === undefined ? scanned : joined(policy, readings, scanned, verdict.findings)
  const all = [...kindsIn(found), ...[...unreadable].map((kind) => unread(policy, kind)).filter(isOfNote)]
  // What is said of the content as a whole counts like a finding, under the name of who says it.
  const whole = [{ name: 'default_level', ...policy.rule('default_level', policy.defaultLevel) }]
  if (verdict.level !== undefined) whole.push({ name: 'classifier', ...policy.rule('classifier', verdict.level) })
  const namesOf = (action: Ruling['action']) => {
    return sorted([...all, ...whole].filter((one) => one.action === action).map(({ name }) => name))
  }
  const level = [...all, ...whole].reduce((highest, one) => higher(highest, one.level), policy.defaultLevel)
  const changing = found.map(changingOf)
  return {
    level,
    patterns: sorted(all.map(({ name }) => name)),
    blocking: namesOf('block'),
    keeping: namesOf('localOnly'),
    ...(changing.every(({ places }) => places.count === 0) ? UNCHANGED : changed(readings, changing)),
  }
}

function kindsIn(found: readonly Found[]): Kind[] {
  const all: Kind[] = []
  for (const { kinds } of found) all.push(...kinds)
  return all
}

/** What has something else in its place. */
function changingOf(found: Found): Found {
  const { kinds, places } = found
  if (kinds.every(changes)) return found
  const left = noPlaces()
  eachPlace(places, (start, end, kind) => {
    if (changes(kinds[kind]!)) addPlace(left, start, end, kind)
  })
  return { kinds, places: left }
}

function changes({ action }: Ruling): boolean {
  return action === 'redact' || action === 'pseudonymise'
}

/** What cannot be read cannot be redacted either. Token ids are a text that was made unreadable: they stay at home. */
function unread(policy: Policy, name: Unreadable): Ruling & { readonly name: string } {
  const { level, action } = policy.rule(name, name === 'token_ids' ? 'confidential' : 'public')
  return { name, level, action: changes({ level, action }) ? 'block' : action }
}

function isOfNote({ level, action }: Ruling): boolean {
  return level !== 'public' || action !== 'allow'
}

const UNCHANGED = { texts: null, restore: new Map<string, string>() }

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort()
}

function changed(readings: readonly Reading[], changing: readonly Found[]): Pick<Inspection, 'texts' | 'restore'> {
  const looksTaken = new RegExp(STAND_IN.pattern, 'g')
  const taken = new Set(readings.flatMap(({ plain }) => plain.match(looksTaken) ?? []))
  const pseudonyms = createPseudonyms((standIn) => taken.has(standIn))
  const texts = readings.map((reading, index) => {
    const { kinds, places } = changing[index]!
    return replaced(reading, places, (kind, value) => {
      const { name, action, redaction } = kinds[kind]!
      return action === 'redact' ? redaction : pseudonyms.of(name, value)
    })
  })
  return { texts, restore: pseudonyms.values }
}

/** What looks like something that was removed. */
export const REDACTION = /\[redacted [A-Za-z]\w*\]/g

/** What stands in the place of what was removed. */
export function redaction(name: string): string {
  return `[redacted ${name}]`
}

/** What the host's classifier found beside what patterns did; where two overlap, what begins first stays. */
function joined(
  policy: Policy,
  readings: readonly Reading[],
  scanned: readonly Found[],
  findings: readonly DlpFinding[],
): Found[] {
  const lists = scanned.map(listed)
  for (const finding of findings) {
    const { text, start, end, name, level = 'confidential', ...own } = finding
    const reading = readings[text]
    const fits = reading !== undefined && 0 <= start && start < end && end <= reading.text.length
    if (!fits || !/^[A-Za-z]\w{0,39}$/.test(name)) throw badFinding()
    lists[text]!.push({ start, end, kind: kindOf(name, policy.rule(name, level, own)) })
  }
  return lists.map((list) => {
    const numbers = new Map<Kind, number>()
    const places = noPlaces()
    let past = 0
    for (const { start, end, kind } of list.sort((a, b) => a.start - b.start || b.end - a.end)) {
      if (start < past) continue
      if (!numbers.has(kind)) numbers.set(kind, numbers.size)
      addPlace(places, start, end, numbers.get(kind)!)
      past = end
    }
    return { kinds: [...numbers.keys()], places }
  })
}

interface Finding {
  readonly start: number
  readonly end: number
  readonly kind: Kind
}

function listed({ kinds, places }: Found): Finding[] {
  const list: Finding[] = []
  eachPlace(places, (start, end, kind) => list.push({ start, end, kind: kinds[kind]! }))
  return list
}

function badFinding(): HooshError {
  return new HooshError('classifier_failed', {
    message:
      'The classifier named a place that is not in the texts, or gave it no name of letters, digits and underscores.',
  })
}
