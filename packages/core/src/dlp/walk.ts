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
  /** Rewrites what a provider has given to be given back; undefined leaves it out. */
  carried?(rewrite: () => unknown): unknown
}

/** What a provider has given to be given back: changed, it may be refused. */
const EXTRA = 'extra_content'
const CARRIED = new Set([EXTRA, 'reasoning_details'])

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
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return rewrittenList(value, spot!, visit)
  let copy: Record<string, unknown> | null = null
  for (const key of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[key]
    const changed = rewrittenMember(inner, spotOf(key, spot), visit)
    if (changed === inner) continue
    copy ??= { ...value }
    if (changed === undefined) delete copy[key]
    else copy[key] = changed
  }
  return copy ?? value
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
