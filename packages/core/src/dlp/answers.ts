import type { DlpLevel } from '../options.js'
import { escaped, insideJson, type Unescaper, unescaper } from './escapes.js'
import { redaction } from './inspect.js'
import { higher } from './levels.js'
import { createPass, type Pass } from './pass.js'
import type { Policy } from './policy.js'
import { STAND_IN } from './pseudonyms.js'
import { dataIn } from './texts.js'

/** One answer on its way to the caller: stand-ins become values again, and what may not be told is redacted. */
export interface AnswerFilter {
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

/** @returns null where there is nothing to do */
export function answerFilter(policy: Policy, restore: ReadonlyMap<string, string>): AnswerFilter | null {
  if (policy.answers === null && restore.size === 0) return null
  const redacted: Redacted = { level: 'public', names: new Set() }
  const choices = new Map<number, Channels>()
  const channelsOf = (index: number): Channels => {
    let channels = choices.get(index)
    if (channels === undefined) {
      channels = new Map()
      choices.set(index, channels)
    }
    return channels
  }
  const make = (isJson: boolean) => channel(policy, restore, redacted, isJson)
  // The single tokens of an answer would tell what was redacted.
  const quiet = (choice: Fields): Fields =>
    policy.answers !== null && choice.logprobs != null ? { ...choice, logprobs: null } : choice
  return {
    restores: restore.size > 0,
    redacted: () => ({ level: redacted.level, patterns: [...redacted.names].sort() }),
    choice(index, choice) {
      const channels = channelsOf(index)
      const message = rewrite(choice.message, [], '', (text, path) => through(channels, path, make).all(text))
      return quiet(message === choice.message ? choice : { ...choice, message })
    },
    piece(index, choice) {
      const channels = channelsOf(index)
      const delta = rewrite(choice.delta, [], '', (text, path, field) => {
        return COMES_IN_PIECES.has(field) ? through(channels, path, make).push(text) : make(false).all(text)
      })
      const now = quiet(delta === choice.delta ? choice : { ...choice, delta })
      return { before: choice.finish_reason == null ? null : emptied(channels), now }
    },
    rest: () =>
      [...choices].flatMap(([index, channels]) => {
        const delta = emptied(channels)
        return delta === null ? [] : [{ index, delta }]
      }),
  }
}

interface Redacted {
  level: DlpLevel
  readonly names: Set<string>
}

/** One text of an answer, by where it stands in its choice. */
interface Channel {
  readonly path: Path
  push(piece: string): string
  end(): string
  all(text: string): string
}

type Path = readonly (string | number)[]
type Channels = Map<string, Channel>

function through(channels: Channels, path: Path, make: (isJson: boolean) => Omit<Channel, 'path'>): Channel {
  const key = path.join('\n')
  let known = channels.get(key)
  if (known === undefined) {
    known = { path, ...make(path.at(-1) === 'arguments') }
    channels.set(key, known)
  }
  return known
}

function channel(
  policy: Policy,
  restore: ReadonlyMap<string, string>,
  redacted: Redacted,
  isJson: boolean,
): Omit<Channel, 'path'> {
  let out = ''
  const say = (text: string) => {
    out += isJson ? escaped(text) : text
  }
  const pass: Pass = createPass(
    policy.answers ?? policy.standIns,
    {
      plain: (text, start, end) => say(text.slice(start, end)),
      found({ name, level }, value) {
        if (name !== STAND_IN.name) {
          redacted.names.add(name)
          redacted.level = higher(redacted.level, policy.rule(name, level).level)
          return say(redaction(name))
        }
        const meant = restore.get(value)
        if (meant === undefined) say(value)
        else out += isJson ? insideJson(meant) : meant
      },
    },
    { releasesWords: policy.releasesWords || policy.answers === null },
  )
  const read: Unescaper | null = isJson ? unescaper() : null
  const taken = () => {
    const text = out
    out = ''
    return text
  }
  const push = (piece: string) => {
    pass.push(read === null ? piece : read.push(piece))
    return taken()
  }
  const end = () => {
    if (read !== null) pass.push(read.rest())
    pass.end()
    return taken()
  }
  return { push, end, all: (text) => push(text) + end() }
}

/** What the channels of a choice held back, as one delta; null where it was nothing. */
function emptied(channels: Channels): Fields | null {
  let delta: Fields | null = null
  for (const [key, { path, end }] of channels) {
    channels.delete(key)
    const text = end()
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

/** Fields of an answer that are no text of the model's, and what goes back to a provider as it came. */
const STEERING = new Set(['role', 'type', 'id', 'name', 'object', 'finish_reason', 'extra_content'])
/** Fields of deltas that clients put together; the others are whole each time, and nothing of them is held back. */
const COMES_IN_PIECES = new Set([
  'content',
  'refusal',
  'reasoning',
  'reasoning_content',
  'thinking',
  'text',
  'transcript',
  'arguments',
  'input',
])

type Write = (text: string, path: Path, field: string) => string

function rewrite(value: unknown, path: Path, field: string, write: Write): unknown {
  if (STEERING.has(field)) return value
  if (typeof value === 'string')
    return value === '' || dataIn(value, field) !== null ? value : write(value, path, field)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const list = value.map((item, at) => rewrite(item, [...path, indexOf(item, at)], field, write))
    return list.some((item, at) => item !== value[at]) ? list : value
  }
  let copy: Record<string, unknown> | null = null
  for (const [key, inner] of Object.entries(value)) {
    const changed = rewrite(inner, [...path, key], key, write)
    if (changed === inner) continue
    copy ??= { ...value }
    copy[key] = changed
  }
  return copy ?? value
}

function indexOf(item: unknown, at: number): number {
  const index = typeof item === 'object' && item !== null ? (item as Fields).index : undefined
  return typeof index === 'number' ? index : at
}
