import { MODEL_ROWS, type ModelRow } from './model-table.js'

export type ModelTier = 'economy' | 'standard' | 'premium' | 'reasoning'
export type Modality = 'text' | 'vision' | 'audio' | 'embedding'

/** What is known of a model. Figures are tokens. */
export interface ModelFacts {
  readonly id: string
  /** Who makes or serves it; `local` for models that people run themselves. */
  readonly maker: string
  readonly contextWindow: number
  /** Largest output of one choice, hidden reasoning included; null where nobody says. */
  readonly maxOutput: number | null
  readonly tier: ModelTier
  readonly modalities: readonly Modality[]
  readonly capabilities: {
    readonly chat: boolean
    readonly streaming: boolean
    readonly toolUse: boolean
    readonly vision: boolean
    /** `response_format` with a JSON schema, its own or made of a forced tool. */
    readonly jsonSchema: boolean
    readonly embeddings: boolean
  }
  readonly systemPrompt: boolean
  /** It thinks before it speaks and bills for that, so its output cannot be counted by watching its answer. */
  readonly reasoning: boolean
}

const MODALITIES: Readonly<Record<string, Modality>> = { T: 'text', V: 'vision', A: 'audio', E: 'embedding' }

const FACTS = new Map(MODEL_ROWS.map((row) => [row[0], factsOf(row)]))

/** Every model of the table. */
export const MODELS: readonly ModelFacts[] = [...FACTS.values()]

/**
 * Facts of a model: by its exact id, else by the longest id that its name begins with; null where nothing fits. What is in
 * front of a model's own name is left out where needed: a vendor (`openai/gpt-4o`, as OpenRouter and Hugging Face write
 * it), and `ft:` of one that was tuned.
 */
export function modelFacts(model: string): ModelFacts | null {
  const found = longestPrefix(model)
  if (found !== null) return found
  const name = model.slice(model.lastIndexOf('/') + 1).replace(/^ft:/, '')
  return name === model ? null : longestPrefix(name)
}

function longestPrefix(model: string): ModelFacts | null {
  for (let length = model.length; length > 0; length -= 1) {
    const facts = FACTS.get(model.slice(0, length))
    // The demo's names are only its own: a stranger's "demolition" is none of them.
    if (facts !== undefined && (length === model.length || facts.maker !== 'demo')) return facts
  }
  return null
}

function factsOf([id, maker, contextWindow, maxOutput, tier, modalities, flags]: ModelRow): ModelFacts {
  return {
    id,
    maker,
    contextWindow,
    maxOutput,
    tier,
    modalities: [...modalities].map((letter) => MODALITIES[letter]!),
    capabilities: {
      chat: flags.includes('C'),
      streaming: flags.includes('S'),
      toolUse: flags.includes('T'),
      vision: flags.includes('V'),
      jsonSchema: !flags.includes('N'),
      embeddings: flags.includes('E'),
    },
    systemPrompt: flags.includes('P'),
    reasoning: flags.includes('R'),
  }
}
