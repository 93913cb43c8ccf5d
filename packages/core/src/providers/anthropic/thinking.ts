import type { Ask } from '../translated/dialect.js'
import { asksFor } from '../translated/fields.js'
import type { ClaudeFacts } from './facts.js'

type Json = Readonly<Record<string, unknown>>

/** How much it is asked to think. */
export interface ThinkingAsked {
  readonly thinking?: Json
  /** `output_config.effort` */
  readonly effort?: string
  /** By a budget: then sampling is fixed and no tool can be forced. */
  readonly byBudget: boolean
}

/** Tokens of thinking by effort; Anthropic takes 1,024 and more, and less than the whole output. */
const BUDGETS: Readonly<Record<string, number>> = {
  minimal: 1_024,
  low: 2_048,
  medium: 8_192,
  high: 16_384,
  xhigh: 32_768,
  max: 65_536,
}
const LEAST_BUDGET = 1_024
const NOT_THINKING: ThinkingAsked = { byBudget: false }

/**
 * `reasoning_effort`, or Anthropic's own `thinking` as it is.
 *
 * @param maxTokens of the whole output: a budget takes at most seven eighths of it, so that an answer fits behind
 */
export function thinkingOf(ask: Ask, facts: ClaudeFacts, maxTokens: number): ThinkingAsked {
  const { thinking, reasoning_effort: effort } = ask.params
  if (typeof thinking === 'object' && thinking !== null) {
    const own = thinking as Json
    return { thinking: own, byBudget: own.type === 'enabled' }
  }
  if (!asksFor(ask.params, 'reasoning_effort')) return NOT_THINKING
  const budget = BUDGETS[String(effort)]
  if (effort === 'none') {
    return facts.thinking === 'none' ? NOT_THINKING : { thinking: { type: 'disabled' }, byBudget: false }
  }
  if (budget === undefined || facts.thinking === 'none') {
    ask.cannot('reasoning_effort', budget === undefined ? undefined : 'this model does not think')
    return NOT_THINKING
  }
  if (facts.thinking === 'adaptive' || facts.thinking === 'either') {
    // Newer models keep their thinking to themselves unless asked; older ones know no such field.
    const display = facts.thinking === 'adaptive' ? { display: 'summarized' } : {}
    return { thinking: { type: 'adaptive', ...display }, effort: effortOf(String(effort), facts), byBudget: false }
  }
  const room = Math.min(budget, Math.floor((maxTokens * 7) / 8))
  if (room < LEAST_BUDGET) {
    ask.cannot(
      'reasoning_effort',
      `thinking takes at least ${LEAST_BUDGET} of the output tokens, which are too few here`,
    )
    return NOT_THINKING
  }
  return { thinking: { type: 'enabled', budget_tokens: room }, byBudget: true }
}

function effortOf(effort: string, facts: ClaudeFacts): string {
  if (effort === 'minimal') return 'low'
  return effort === 'xhigh' && !facts.xhigh ? 'max' : effort
}
