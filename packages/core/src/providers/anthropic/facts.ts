/** What a generation of Claude can do, where they differ. */
export interface ClaudeFacts {
  /** `output_config.format` and strict tools. */
  readonly structured: boolean
  /** How it is told to think: not at all, by a budget of tokens, by effort alone, or by either. */
  readonly thinking: 'none' | 'budget' | 'adaptive' | 'either'
  /** It knows `output_config.effort`. */
  readonly effort: boolean
  /** The highest effort short of `max`. */
  readonly xhigh: boolean
  /** It takes `temperature`, `top_p` and `top_k`. */
  readonly sampling: boolean
  /** Of `temperature` and `top_p` it takes either, not both. */
  readonly oneSampling: boolean
  /** A tool can be forced. */
  readonly forcing: boolean
  /** System messages may stand between the others. */
  readonly inlineSystem: boolean
}

const NEWEST: ClaudeFacts = {
  structured: true,
  thinking: 'adaptive',
  effort: true,
  xhigh: true,
  sampling: false,
  oneSampling: true,
  forcing: true,
  inlineSystem: true,
}
const GENERATION_4_6: ClaudeFacts = {
  ...NEWEST,
  thinking: 'either',
  xhigh: false,
  sampling: true,
  inlineSystem: false,
}
const GENERATION_4_5: ClaudeFacts = { ...GENERATION_4_6, thinking: 'budget', effort: false }
const GENERATION_4: ClaudeFacts = { ...GENERATION_4_5, structured: false, oneSampling: false }
const GENERATION_3: ClaudeFacts = { ...GENERATION_4, thinking: 'none' }

/**
 * The first that matches; a later number is taken for newer than this table, and a name of no such kind, as other makers'
 * servers of this dialect have them, for what every one of them can. By Anthropic's guides on structured outputs,
 * effort, adaptive thinking, forcing tools and system messages in a conversation, November 2026.
 */
const GENERATIONS: readonly (readonly [RegExp, ClaudeFacts])[] = [
  [/claude-3-7/, GENERATION_4],
  [/claude-(?:3|2|instant)/, GENERATION_3],
  [/(?:opus|sonnet)-4(?:-0|-\d{8}|@|$)/, GENERATION_4],
  [/opus-4-1/, GENERATION_4_5],
  [/opus-4-5/, { ...GENERATION_4_5, effort: true }],
  [/-4-5/, GENERATION_4_5],
  [/-4-6/, GENERATION_4_6],
  [/-4-7|sonnet-5(?:-\d{8}|$)/, { ...NEWEST, inlineSystem: false }],
  [/(?:fable|mythos)-5-1|mythos-preview/, { ...NEWEST, forcing: false }],
  [/(?:opus|sonnet|haiku|fable|mythos)-(?:4-[89]|[5-9]|\d\d)/, NEWEST],
]

export function claudeFacts(model: string): ClaudeFacts {
  return GENERATIONS.find(([pattern]) => pattern.test(model))?.[1] ?? GENERATION_4
}
