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

/** 3 for each message, 1 for its role, 3 for the answer's beginning (OpenAI cookbook, counting tokens). */
const OPENAI = { perRequest: 8, perMessage: 4, perTools: 32, perInput: 0 }

/** Chat templates of open models: their default system prompts have up to 70 tokens, their tool instructions up to 400. */
const OTHERS = { perRequest: 128, perMessage: 16, perTools: 512, perInput: 4 }

/** xAI bills a prompt of its own with every request: about 690 tokens for grok-4. */
const GROK_PER_REQUEST = 1_024

/**
 * Qwen2-VL's own maximum (its model card), the largest of the open models; OpenAI's newest take up to 10,000 patches.
 */
const LARGEST_IMAGE = 16_384

/**
 * OpenAI's images, by "Images and vision" of its guide. By tiles: at most 8 of 512 px. By patches: at most 1,536 of
 * 32 px, times the model's factor.
 */
const IMAGES: readonly (readonly [RegExp, number])[] = [
  [/^gpt-4o-mini/, 2_833 + 8 * 5_667],
  [/^gpt-(4\.1|5)-nano/, Math.ceil(1_536 * 2.46)],
  [/^(gpt-(4\.1|5)-mini|o4-mini)/, Math.ceil(1_536 * 1.72)],
  [/^(gpt-4o|gpt-4\.1|gpt-4\.5|gpt-4-|chatgpt-4o|o1|o3|gpt-5(-|$))/, 1_536],
  [/-(mini|nano)/, 24_600],
]

/** Pixtral: 64 x 64 patches of 16 px and a mark after each row (mistral-common, images). */
const MISTRAL_IMAGE = 4_224

/** Whose tokenizers are public. Later names than these are assumed to go on with the newest. */
const O200K = /^(gpt-4o|gpt-4\.1|gpt-4\.5|chatgpt-|o[1-9]|gpt-[5-9]|gpt-audio|codex-|gpt-oss)/
const CL100K = /^(gpt-4|gpt-3\.5|text-embedding-)/

/** Facts of a model by its name on a route of this provider type. */
export function tokenFacts(route: { readonly type: string; readonly local: boolean }, model: string): TokenFacts {
  if (route.type === 'demo') return { ...OPENAI, family: 'demo', perImage: LARGEST_IMAGE }
  const name = openaiName(route, model)
  if (name === null) return { ...OTHERS, ...othersOf(route.type, model) }
  const family = O200K.test(name) ? 'o200k_base' : CL100K.test(name) ? 'cl100k_base' : null
  if (family === null || name.startsWith('gpt-oss')) return { ...OTHERS, family, perImage: LARGEST_IMAGE }
  return { ...OPENAI, family, perImage: IMAGES.find(([pattern]) => pattern.test(name))?.[1] ?? LARGEST_IMAGE }
}

/** The name of OpenAI's own model that a route means; null where the model is somebody else's or runs on a local server. */
function openaiName(route: { readonly type: string; readonly local: boolean }, model: string): string | null {
  if (route.local) return null
  if (route.type === 'openai') return model.startsWith('ft:') ? model.slice(3) : model
  const hasMakerInName = route.type === 'openrouter' || route.type === 'groq'
  return hasMakerInName && model.startsWith('openai/') ? model.slice('openai/'.length) : null
}

function othersOf(type: string, model: string): Pick<TokenFacts, 'family' | 'perRequest' | 'perImage'> {
  const isGrok = type === 'grok' || model.startsWith('x-ai/')
  return {
    family: null,
    perRequest: isGrok ? GROK_PER_REQUEST : OTHERS.perRequest,
    perImage: type === 'mistral' ? MISTRAL_IMAGE : LARGEST_IMAGE,
  }
}
