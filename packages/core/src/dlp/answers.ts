import type { DlpLevel } from '../options.js'
import { type CallIds, callByCall, takenOver } from './calls.js'
import { type Channel, createChannel, type Filtering, type Manner, passedWhole } from './channel.js'
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
  /** A piece of a streamed choice; `before` are the deltas that have to go out first where this one ends the choice. */
  piece(index: number, choice: Fields): { before: readonly Fields[]; now: Fields }
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
  readonly isJson: boolean
  readonly choices: Map<number, Choice>
  /** Short strings that were read and stay as they are: many stand in every event. */
  readonly clean: Set<string>
}

/**
 * @param options.isJson its content was asked for as JSON, and has to stay so
 * @returns null where there is nothing to do
 */
export function answerFilter(
  policy: Policy,
  restore: ReadonlyMap<string, string>,
  { isJson = false }: { isJson?: boolean } = {},
): AnswerFilter | null {
  if (policy.answers === null && restore.size === 0) return null
  const redacted: Filtering['redacted'] = { count: 0, level: 'public', names: new Set() }
  const filter: Filter = { policy, restore, redacted, isJson, choices: new Map(), clean: new Set() }
  return {
    restores: restore.size > 0,
    redacted: () => ({ level: redacted.level, patterns: [...redacted.names].sort() }),
    around: (head) => allOf(filter, head),
    choice: (_index, choice) => allOf(filter, choice),
    piece: (index, choice) => piece(filter, index, choice),
    rest: () =>
      [...filter.choices].flatMap(([index, { channels }]) => emptied(channels).map((delta) => ({ index, delta }))),
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
  const isSmall = text.length <= SHORT && !mannerOf(filter, '', spot).isJson
  if (isSmall && clean.has(text)) return text
  const read = (part: string) => passedWhole(filter, part, mannerOf(filter, part, spot))
  const passed = readAround(text, spot.field, { read })
  if (isSmall && passed === text && clean.size < MANY) clean.add(text)
  return passed
}

function mannerOf({ isJson }: Filter, text: string, spot: Spot): Manner {
  const { field, above } = spot
  const isContent =
    field === 'content' && (above?.field === 'message' || above?.field === 'delta') && above.above === null
  return isJson && isContent && spot.step === field ? { isJson } : textAt(text, spot)
}

/** A streamed choice. */
interface Choice {
  readonly channels: Channels
  readonly calls: CallIds
}

function piece(filter: Filter, index: number, choice: Fields): { before: readonly Fields[]; now: Fields } {
  let known = filter.choices.get(index)
  if (known === undefined) {
    known = { channels: new Map(), calls: new Map() }
    filter.choices.set(index, known)
  }
  const deltas = callByCall(choice.delta)
  if (deltas.length === 1) return pieceOfOne(filter, known, choice)
  const before: Fields[] = []
  for (const delta of deltas.slice(0, -1)) {
    const told = pieceOfOne(filter, known, { delta })
    before.push(...told.before, told.now.delta as Fields)
  }
  const last = pieceOfOne(filter, known, { ...choice, delta: deltas.at(-1) })
  return { before: [...before, ...last.before], now: last.now }
}

/** A piece in which no index has two calls. */
function pieceOfOne(
  filter: Filter,
  { channels, calls }: Choice,
  choice: Fields,
): { before: readonly Fields[]; now: Fields } {
  const over = takenOver(choice.delta, calls).flatMap((at) => emptied(channels, ['delta', 'tool_calls', at]))
  // Some providers say `""` for as long as there is more to come.
  const ends = choice.finish_reason != null && choice.finish_reason !== ''
  const now = allOf(filter, choice, (text, spot) => {
    const path = pathOf(spot)
    if (!comesInPieces(path, spot)) return whole(filter, text, spot)
    const { key, channel } = through(filter, channels, { path, spot, delta: choice.delta })
    if (!ends) return channel.push(text)
    channels.delete(key)
    return channel.push(text) + channel.end()
  })
  return { before: ends ? [...over, ...emptied(channels)] : over, now }
}

type Path = readonly (string | number)[]

/** A text of a choice of which more may come. */
interface Awaited {
  readonly channel: Channel
  readonly path: Path
  /** The delta in which it came last. */
  delta: unknown
}

/** By where they stand. */
type Channels = Map<string, Awaited>

function keyOf(path: Path): string {
  return path.map((step) => `${step}\n`).join('')
}

function through(
  filter: Filter,
  channels: Channels,
  { path, spot, delta }: { path: Path; spot: Spot; delta: unknown },
): { key: string; channel: Channel } {
  const key = keyOf(path)
  let known = channels.get(key)
  if (known === undefined) {
    known = { channel: createChannel(filter, mannerOf(filter, '', spot)), path: path.slice(1), delta }
    channels.set(key, known)
  }
  known.delta = delta
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

/** What the channels of a choice held back, a delta each: a member may be a text in one and a list in another. */
function emptied(channels: Channels, below: Path = []): readonly Fields[] {
  const deltas: Fields[] = []
  const beginning = keyOf(below)
  for (const [key, { channel, path, delta }] of channels) {
    if (!key.startsWith(beginning)) continue
    channels.delete(key)
    const text = channel.end()
    if (text !== '') deltas.push(only(delta, path, text) as Fields)
  }
  return deltas
}

/** Of a value a text at a path alone, and of lists the item that holds it, with what tells which or what it is. */
function only(value: unknown, [step, ...rest]: Path, text: string): unknown {
  if (step === undefined) return text
  if (typeof step === 'string') return { [step]: only((value as Fields)[step], rest, text) }
  const list = value as readonly unknown[]
  const numbered = (list as readonly Fields[]).find((item) => item?.index === step)
  const item = numbered ?? list[step]
  const inner = only(item, rest, text)
  if (typeof inner === 'string') return [inner]
  const { index, type } = item as Fields
  return [{ ...(numbered === undefined ? { type } : { index }), ...(inner as Fields) }]
}
