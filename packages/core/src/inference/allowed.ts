import { HooshError } from '../errors.js'
import type { Call } from './call.js'

/** Why a call is not one that its caller may make: of a model, or with a tool, that is not theirs. Null where it is. */
export function refusalOf({ caller, model, params }: Pick<Call, 'caller' | 'model' | 'params'>): HooshError | null {
  if (!caller.mayUse(model)) {
    return new HooshError('model_not_allowed', {
      message: `You may not use the model "${model}".`,
      details: { param: 'model' },
    })
  }
  if (caller.identity.tools === undefined) return null
  for (const field of ['tools', 'functions']) {
    const tools = params[field]
    if (!Array.isArray(tools)) continue
    for (const [index, tool] of tools.entries()) {
      const refused = namesOf(tool).find((name) => !caller.mayGive(name))
      if (refused === undefined) continue
      return new HooshError('tool_not_allowed', {
        message: `You may not give a model the tool "${refused.slice(0, 100)}". Leave it out.`,
        details: { param: `${field}.${index}` },
      })
    }
  }
  return null
}

/** Every name that a provider could know a tool by: those of the provider's own (a web search) have only a type. */
function namesOf(tool: unknown): string[] {
  const { type, name, function: called, custom } = (tool ?? {}) as Record<string, { name?: unknown } | null | undefined>
  const names = [called?.name, custom?.name, name].filter((one) => one !== undefined)
  const isPlain = type === undefined || (type as unknown) === 'function' || (type as unknown) === 'custom'
  if (!isPlain || names.length === 0) names.push(type ?? '')
  return names.map(String)
}
