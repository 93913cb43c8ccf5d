import type { DlpLevel } from '../options.js'
import { type Channel, createChannel, type Filtering, passedWhole } from './channel.js'
import { readAround } from './media.js'
import type { Policy } from './policy.js'
import { textAt } from './texts.js'
import { rewritten, type Spot } from './walk.js'

/** One answer on its way to the caller: stand-ins become values again, and what may not be told is redacted. */
export interface AnswerFilter {
  /** What stands around the choices of an answer or an event. */
  around(head: Fields): Fields
  /** All of a plain answer's choice. */
  choice(index: number, choice: Fields): Fields
  /** A piece of a streamed choice; `before` is what has to go out first where this one ends the choice. */
  piece(index: number, choice: Fields): { before: Fields | null; now: Fields }
  /** What is still held back, by choice, at the end of a stream that did not say so. */
  rest(): { index: number; delta: Fields }[]
  /** Whether the answer may hold values of the request again. */
  readonly restores: boolean
  /** What was redacted so far: names, and the level of the most sensitive. */
  redacted(): { readonly level: DlpLevel; readonly patterns: readonly string[] }
}

type Fields = Readonly<Record<string, unknown>>

/** An answer being filtered. */
interface Filter extends Filtering {
  readonly choices: Map<number, Channels>
  /** Short strings that were read and stay as they are: many stand in every event. */
  readonly clean: Set<string>
}

/** @returns null where there is nothing to do */
export function answerFilter(policy: Policy, restore: ReadonlyMap<string, string>): AnswerFilter | null {
  if (policy.answers === null && restore.size === 0) return null
  const redacted: Filtering['redacted'] = { count: 0, level: 'public', names: new Set() }
  const filter: Filter = { policy, restore, redacted, choices: new Map(), clean: new Set() }
  return {
    restores: restore.size > 0,
    redacted: () => ({ level: redacted.level, patterns: [...redacted.names].sort() }),
    around: (head) => allOf(filter, head),
    choice: (_index, choice) => allOf(filter, choice),
    piece: (index, choice) => piece(filter, index, choice),
    rest: () =>
      [...filter.choices].flatMap(([index, channels]) => {
        const delta = emptied(channels)
        return delta === null ? [] : [{ index, delta }]
      }),
  }
}

/** The single tokens of an answer, which would tell what was redacted. */
const SPELLED = ['logprobs', 'prompt_logprobs', 'token_ids', 'prompt_token_ids']

type Write = (text: string, spot: Spot) => string

/** Every string of a part of an answer. */
function allOf(filter: Filter, fields: Fields, write: Write = (text, spot) => whole(filter, text, spot)): Fields {
  const { policy, redacted } = filter
  const spelled = policy.answers === null ? [] : SPELLED.filter((field) => fields[field] != null)
  const quiet =
    spelled.length === 0 ? fields : { ...fields, ...Object.fromEntries(spelled.map((field) => [field, null])) }
  return rewritten(quiet, null, {
    text: write,
    // A provider refuses what it gets back changed, but goes on without it.
    carried(rewrite) {
      const before = redacted.count
      const value = rewrite()
      return redacted.count > before ? undefined : value
    },
  }) as Fields
}

/** Characters of a string that is remembered, and how many are. */
const SHORT = 64
const MANY = 256

function whole(filter: Filter, text: string, spot: Spot): string {
  const { clean } = filter
  const isSmall = text.length <= SHORT && spot.field !== 'arguments'
  if (isSmall && clean.has(text)) return text
  const read = (part: string) => passedWhole(filter, part, textAt(part, spot))
  const passed = readAround(text, spot.field, { read })
  if (isSmall && passed === text && clean.size < MANY) clean.add(text)
  return passed
}

function piece(filter: Filter, index: number, choice: Fields): { before: Fields | null; now: Fields } {
  let channels = filter.choices.get(index)
  if (channels === undefined) {
    channels = new Map()
    filter.choices.set(index, channels)
  }
  const ends = choice.finish_reason != null
  const now = allOf(filter, choice, (text, spot) => {
    const path = pathOf(spot)
    if (!comesInPieces(path, spot)) return whole(filter, text, spot)
    const { key, channel } = through(filter, channels, path, spot)
    if (!ends) return channel.push(text)
    channels.delete(key)
    return channel.push(text) + channel.end()
  })
  return { before: ends ? emptied(channels) : null, now }
}

type Path = readonly (string | number)[]

/** The texts of a choice of which more may come, by where they stand in its deltas. */
type Channels = Map<string, { readonly path: Path; readonly channel: Channel }>

function through(filter: Filter, channels: Channels, path: Path, spot: Spot): { key: string; channel: Channel } {
  const key = path.join('\n')
  let known = channels.get(key)
  if (known === undefined) {
    known = { path: path.slice(1), channel: createChannel(filter, textAt('', spot)) }
    channels.set(key, known)
  }
  return { key, channel: known.channel }
}

function pathOf(spot: Spot | null): Path {
  return spot === null ? [] : [...pathOf(spot.above), spot.step]
}

/** Members of deltas that are whole each time: no client puts pieces of them together. */
const WHOLE = new Set('role type id name object format channel url title data signature thought_signature'.split(' '))

/** Whether clients put the deltas of a text together: of whatever is not known to be whole it is taken that they do. */
function comesInPieces(path: Path, { field, isUnnumbered }: Spot): boolean {
  if (path[0] !== 'delta' || WHOLE.has(field) || path.includes('extra_content')) return false
  return !isUnnumbered || path[1] === 'content'
}

/** What the channels of a choice held back, as one delta; null where it was nothing. */
function emptied(channels: Channels): Fields | null {
  let delta: Fields | null = null
  for (const [key, { path, channel }] of channels) {
    channels.delete(key)
    const text = channel.end()
    if (text !== '') delta = placed(delta ?? {}, path, text) as Fields
  }
  return delta
}

/** A value with a text put at a path; the items of lists are found by their `index`, as deltas write them. */
function placed(value: unknown, [step, ...rest]: Path, text: string): unknown {
  if (step === undefined) return text
  if (typeof step === 'string') {
    const fields = (value ?? {}) as Fields
    return { ...fields, [step]: placed(fields[step], rest, text) }
  }
  const list = (value ?? []) as Fields[]
  const at = list.findIndex(({ index }) => index === step)
  if (at < 0) return [...list, placed({ index: step }, rest, text)]
  return list.map((item, index) => (index === at ? placed(item, rest, text) : item))
}
