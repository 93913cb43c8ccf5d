/** What a generation of Gemini can do, where they differ. */
export interface GeminiFacts {
  /** How it is told to think: not at all, by a budget of tokens, or by a level. */
  readonly thinking: 'none' | 'budget' | 'level'
  /** Its word for an effort, or its budget in tokens; an effort that is absent cannot be had. */
  readonly efforts: Readonly<Record<string, string | number>>
  /** It takes media inside a function's result, and JSON answers beside tools; it wants its signatures back. */
  readonly newest: boolean
}

/** Tokens by effort as Google's own OpenAI endpoint maps them. */
const BUDGETS = { minimal: 1_024, low: 1_024, medium: 8_192, high: 24_576, xhigh: 24_576 }
const LEVELS = { minimal: 'minimal', low: 'low', medium: 'medium', high: 'high', xhigh: 'high' }

const NEWEST: GeminiFacts = { thinking: 'level', efforts: LEVELS, newest: true }
const OLD: GeminiFacts = { thinking: 'none', efforts: { none: 0 }, newest: false }

/**
 * The first that matches; a model that none does is newer than this table. By Google's guides on thinking, thought
 * signatures and function calling, November 2026.
 */
const GENERATIONS: readonly (readonly [RegExp, GeminiFacts])[] = [
  [/gemini-(?:1|2\.0)|gemma-[1-3]|embedding|-image|-tts/, OLD],
  [/gemini-2\.5-pro/, { thinking: 'budget', efforts: { ...BUDGETS, xhigh: 32_768 }, newest: false }],
  [/gemini-2\.5/, { thinking: 'budget', efforts: { ...BUDGETS, none: 0 }, newest: false }],
  [/gemini-3-pro/, { ...NEWEST, efforts: { ...LEVELS, minimal: 'low', medium: 'high' } }],
  [/gemini-[\d.]+-pro/, { ...NEWEST, efforts: { ...LEVELS, minimal: 'low' } }],
]

export function geminiFacts(model: string): GeminiFacts {
  if (/gemini-[3-9].*-image/.test(model)) return { ...NEWEST, thinking: 'none', efforts: {} }
  return GENERATIONS.find(([pattern]) => pattern.test(model))?.[1] ?? NEWEST
}
