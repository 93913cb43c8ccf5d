import type { Ask } from '../translated/dialect.js'
import { asksFor } from '../translated/fields.js'
import type { GeminiFacts } from './facts.js'

type Json = Readonly<Record<string, unknown>>

/**
 * `reasoning_effort`, or Google's own `thinking_config` as it is; undefined where neither is asked. Who asks for an effort
 * is told the thoughts too.
 */
export function thinkingOf(ask: Ask, facts: GeminiFacts, own: unknown): Json | undefined {
  if (typeof own === 'object' && own !== null) return own as Json
  if (!asksFor(ask.params, 'reasoning_effort')) return undefined
  const asked = String(ask.params.reasoning_effort)
  const effort = facts.efforts[asked]
  if (effort === undefined) {
    const why = { none: 'this model does not think', budget: undefined, level: undefined }[facts.thinking]
    ask.cannot('reasoning_effort', asked === 'none' ? 'this model cannot stop thinking' : why)
    return undefined
  }
  if (facts.thinking === 'none') return undefined
  if (typeof effort === 'string') return { thinkingLevel: effort, includeThoughts: true }
  return effort === 0 ? { thinkingBudget: 0 } : { thinkingBudget: effort, includeThoughts: true }
}
