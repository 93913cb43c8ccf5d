/** Where a string stands in a request or an answer. */
export interface Spot {
  /** The member that holds it, or the list that it is in. */
  readonly field: string
  /** Of a list the item's `index`, as deltas number them, or its place. */
  readonly step: string | number
  readonly above: Spot | null
  /** It stands in what a provider has given to be given back. */
  readonly isCarried: boolean
  /** It stands in a list whose items have no `index`, so nobody could put pieces of it together. */
  readonly isUnnumbered: boolean
}

/** Is asked for every string that is not a word of the protocol; returns what stands there instead. */
export interface Visitor {
  text(text: string, spot: Spot): string
  /** Is asked for names of members that the protocol does not have, before what they hold. */
  name?(name: string): string
  /** Is asked for numbers that may be somebody's, in their digits. */
  digits?(digits: string): string
  /** Rewrites what a provider has given to be given back; undefined leaves it out. */
  carried?(rewrite: () => unknown): unknown
}

/** What a provider has given to be given back: changed, it may be refused. */
const EXTRA = 'extra_content'
export const CARRIED: ReadonlySet<string> = new Set([EXTRA, 'reasoning_details'])

/** Words of the protocol, by the member that holds them. Other values of these members are read like any text. */
const WORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  role: new Set('system developer user assistant tool function'.split(' ')),
  type: new Set(
    (
      'text image_url input_audio file refusal function custom json_schema json_object allowed_tools ephemeral thinking ' +
      'url_citation string number integer boolean array object null'
    ).split(' '),
  ),
  object: new Set(['chat.completion', 'chat.completion.chunk']),
  finish_reason: new Set('stop length tool_calls content_filter function_call'.split(' ')),
}

/** Names of members that OpenAI's API and JSON Schema have. */
const NAMES = new Set(
  (
    'messages role content type text image_url url detail input_audio data format file file_id file_data filename refusal ' +
    'name tool_calls tool_call_id id index function arguments custom input tools tool_choice description parameters strict ' +
    'properties required items enum const default examples anyOf oneOf allOf not $ref $defs $schema $id definitions title ' +
    'additionalProperties pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems ' +
    'maxItems uniqueItems minProperties maxProperties prefixItems patternProperties propertyNames readOnly writeOnly ' +
    'deprecated response_format json_schema schema stream stream_options include_usage temperature top_p n stop seed ' +
    'max_tokens max_completion_tokens presence_penalty frequency_penalty logit_bias logprobs top_logprobs ' +
    'parallel_tool_calls functions function_call user metadata store modalities audio voice prediction reasoning_effort ' +
    'reasoning verbosity service_tier web_search_options safety_identifier prompt_cache_key cache_control thinking ' +
    'budget_tokens signature thought_signature reasoning_content reasoning_details extra_content anthropic google ai_sdk ' +
    'encoding_format dimensions model drop_unsupported'
  ).split(' '),
)

/** Numbers that say how, and limits: whatever they are, they are nobody's. */
const HOW = new Set('seed random_seed minimum maximum exclusiveMinimum exclusiveMaximum multipleOf'.split(' '))
/** Whole numbers of fewer than eight digits are counts, sizes and tokens. */
const SOMEBODYS = 10_000_000

export function spotOf(key: string | number, above: Spot | null): Spot {
  if (typeof key === 'number') return { ...above!, step: key, above }
  return {
    field: key,
    step: key,
    above,
    isCarried: above?.isCarried === true || CARRIED.has(key),
    isUnnumbered: above?.isUnnumbered === true,
  }
}

/** A value with other strings; what does not change is shared with the original. `spot` is null at the top. */
export function rewritten(value: unknown, spot: Spot | null, visit: Visitor): unknown {
  if (typeof value === 'string') return rewrittenText(value, spot!, visit)
  if (typeof value === 'number') return rewrittenNumber(value, spot!, visit)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return rewrittenList(value, spot!, visit)
  let copy: Record<string, unknown> | null = null
  let names: Map<string, string> | null = null
  for (const key of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[key]
    const name = visit.name === undefined || NAMES.has(key) || spot?.field === BIAS ? key : visit.name(key)
    if (name !== key) {
      names ??= new Map()
      names.set(key, name)
    }
    const changed = rewrittenMember(inner, spotOf(key, spot), visit)
    if (changed === inner) continue
    copy ??= { ...value }
    if (changed === undefined) delete copy[key]
    else copy[key] = changed
  }
  return names === null ? (copy ?? value) : renamed(copy ?? value, names)
}

/** An object with other names of members; one that is taken by then gets a number, so that nothing is lost. */
function renamed(value: object, names: ReadonlyMap<string, string>): object {
  const members = new Map<string, unknown>()
  const times = new Map<string, number>()
  for (const [key, inner] of Object.entries(value)) {
    const name = names.get(key) ?? key
    let free = name
    for (let time = times.get(name) ?? 1; members.has(free) || (free !== key && Object.hasOwn(value, free)); ) {
      time += 1
      times.set(name, time)
      free = `${name} ${time}`
    }
    members.set(free, inner)
  }
  return Object.fromEntries(members)
}

/** Names of members are ids of tokens in it. */
const BIAS = 'logit_bias'

function rewrittenNumber(value: number, { field }: Spot, { digits }: Visitor): unknown {
  if (digits === undefined || !Number.isInteger(value) || Math.abs(value) < SOMEBODYS || HOW.has(field)) return value
  const written = String(value)
  const changed = digits(written)
  return changed === written ? value : changed
}

function rewrittenMember(value: unknown, spot: Spot, visit: Visitor): unknown {
  const rewrite = () => rewritten(value, spot, visit)
  return spot.field === EXTRA && visit.carried !== undefined ? visit.carried(rewrite) : rewrite()
}

function rewrittenText(text: string, spot: Spot, visit: Visitor): string {
  const isWord = Object.hasOwn(WORDS, spot.field) && WORDS[spot.field]!.has(text)
  return text === '' || isWord ? text : visit.text(text, spot)
}

function rewrittenList(list: readonly unknown[], spot: Spot, visit: Visitor): unknown {
  let copy: unknown[] | null = null
  for (let at = 0; at < list.length; at += 1) {
    const index = indexOf(list[at])
    const here = spotOf(index ?? at, spot)
    const changed = rewritten(list[at], index === null ? { ...here, isUnnumbered: true } : here, visit)
    if (changed === list[at]) continue
    copy ??= [...list]
    copy[at] = changed
  }
  return copy ?? list
}

function indexOf(item: unknown): number | null {
  const index = typeof item === 'object' && item !== null ? (item as { index?: unknown }).index : undefined
  return typeof index === 'number' ? index : null
}
