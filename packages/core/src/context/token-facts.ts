import type { Encoding } from './tokenizer.js'

/** How tokens of a model on a route are counted, and what surrounds the text of a request. All are upper bounds. */
export interface TokenFacts {
  /** Its tokenizer, `demo` for the demo provider's own count, null where we have none: then bytes are the bound. */
  readonly family: Encoding | 'demo' | null
  /** Tokens of a request beside its messages: the template, a provider's own hidden prompt. */
  readonly perRequest: number
  /** Tokens of a message beside its text: role and separators. */
  readonly perMessage: number
  /** Instructions that the template adds where there are tools. */
  readonly perTools: number
  /** Tokens of a text to embed beside it. */
  readonly perInput: number
  /** The most an image is billed as, at any size and detail. */
  readonly perImage: number
}

/**
 * Qwen2-VL's own maximum (its model card), the largest of the open models; OpenAI's newest take up to 10,000 patches.
 */
const LARGEST_IMAGE = 16_384

/** Pixtral: 64 x 64 patches of 16 px and a mark after each row (mistral-common, images). */
const MISTRAL_IMAGE = 4_224

/** 3 for each message, 1 for its role, 3 for the answer's beginning (OpenAI cookbook, counting tokens). */
const openai = (family: Encoding | 'demo', perImage: number): TokenFacts =>
  Object.freeze({ family, perRequest: 8, perMessage: 4, perTools: 32, perInput: 0, perImage })

/** Chat templates of open models: their default system prompts have up to 70 tokens, their tool instructions up to 400. */
const others = (fields: Partial<TokenFacts> = {}): TokenFacts =>
  Object.freeze({
    family: null,
    perRequest: 128,
    perMessage: 16,
    perTools: 512,
    perInput: 4,
    perImage: LARGEST_IMAGE,
    ...fields,
  })

const DEMO = openai('demo', LARGEST_IMAGE)
const ANY = others()
const MISTRAL = others({ perImage: MISTRAL_IMAGE })
/**
 * Anthropic publishes no tokenizer. Its instructions for tools have up to 804 tokens (guide on tool use), images up to 4,784
 * (vision: 2,576 px at the long edge).
 */
const CLAUDE = others({ perTools: 1_024, perImage: 4_784 })
/** xAI bills a prompt of its own with every request: about 690 tokens for grok-4. */
const GROK = others({ perRequest: 1_024 })

/**
 * OpenAI's models, the first that matches; later names are assumed to go on with the newest tokenizer.
 *
 * Images by "Images and vision" of OpenAI's guide. By tiles: at most 8 of 512 px. By patches: at most 1,536 of 32 px, of
 * the newest models 10,000, times the model's factor.
 */
const OPENAI_MODELS: readonly (readonly [RegExp, TokenFacts])[] = [
  [/^gpt-4o-mini/, openai('o200k_base', 2_833 + 8 * 5_667)],
  [/^gpt-(4\.1|5)-nano/, openai('o200k_base', Math.ceil(1_536 * 2.46))],
  [/^(gpt-(4\.1|5)-mini|o4-mini)/, openai('o200k_base', Math.ceil(1_536 * 1.72))],
  [/^(gpt-4o|gpt-4\.[15]|chatgpt-4o|o1|o3|gpt-5(-|$))/, openai('o200k_base', 1_536)],
  [/^gpt-oss/, others({ family: 'o200k_base' })],
  [/^gpt-[5-9].*-(mini|nano)/, openai('o200k_base', 24_600)],
  [/^(gpt-[5-9]|o[1-9]|chatgpt-|gpt-audio|codex-)/, openai('o200k_base', LARGEST_IMAGE)],
  [/^(gpt-4|gpt-3\.5|text-embedding-)/, openai('cl100k_base', 1_536)],
]

/** Facts of a model by its name on a route of this provider type. */
export function tokenFacts(route: { readonly type: string; readonly local: boolean }, model: string): TokenFacts {
  if (route.type === 'demo') return DEMO
  const name = openaiName(route, model)
  if (name !== null) for (const [pattern, facts] of OPENAI_MODELS) if (pattern.test(name)) return facts
  if (route.type === 'mistral') return MISTRAL
  if (route.type === 'anthropic') return CLAUDE
  return route.type === 'grok' || model.startsWith('x-ai/') ? GROK : ANY
}

/** The name of OpenAI's own model that a route means; null where the model is somebody else's or runs on a local server. */
function openaiName(route: { readonly type: string; readonly local: boolean }, model: string): string | null {
  if (route.local) return null
  if (route.type === 'openai') return model.startsWith('ft:') ? model.slice(3) : model
  const hasMakerInName = route.type === 'openrouter' || route.type === 'groq'
  return hasMakerInName && model.startsWith('openai/') ? model.slice('openai/'.length) : null
}
