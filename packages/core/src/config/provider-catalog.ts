/** How a server of OpenAI's dialect differs from OpenAI. What is absent is as OpenAI has it. */
export interface Quirks {
  /** Models that refuse `max_tokens` and want `max_completion_tokens`; the others are asked with `max_tokens`. */
  readonly maxCompletionTokens?: RegExp
  /** Refuses `stream_options`, or sends the usage of a stream unasked. */
  readonly noStreamOptions?: true
  /** Its name for the text of reasoning. Callers get that, and `reasoning_content` beside it. */
  readonly reasoningField?: string
  /** Choices and tool calls may lack their `index`, arguments of tools may be objects: both are mended. */
  readonly looseChoices?: true
  /**
   * Answers that it goes on with, and bills, after we have hung up: those in one piece, or streams too. Absent where hanging up
   * ends the work.
   */
  readonly runsOn?: 'plain' | 'always'
  /** Has endpoints beside OpenAI's: `GET /training/{job}` and `POST /catalog/sync`. */
  readonly trains?: true
}

/** What is known of a provider type before anybody configures it. */
export interface CatalogEntry extends Quirks {
  /** Where it is unless `baseUrl` says otherwise; empty for those without. */
  readonly baseUrl: string
  /** Runs on the host's own machines: costs nothing. */
  readonly local?: true
  /** Variables that may hold its key, the first that is set wins, and what it serves where they alone configure it. */
  readonly environment?: {
    readonly keys: readonly string[]
    readonly models: readonly string[]
    readonly priority?: number
  }
}

/**
 * Every provider type there is. One more of OpenAI's dialect is one more entry.
 *
 * Who runs on after a hang-up is as https://openrouter.ai/docs/api-reference/streaming tells it (November 2026).
 */
export const PROVIDER_CATALOG = {
  openai: {
    baseUrl: 'https://api.openai.com',
    // Its reasoning models.
    maxCompletionTokens: /^(?:o\d|gpt-(?:[5-9]|\d\d))/,
    environment: {
      keys: ['OPENAI_API_KEY'],
      models: ['gpt-*', 'chatgpt-*', 'o1*', 'o3*', 'o4*', 'codex-*', 'text-embedding-*', 'ft:*'],
    },
  },
  anthropic: {
    baseUrl: 'https://api.anthropic.com',
    // Translated, as Google's and Ollama's are: its usage comes unasked.
    noStreamOptions: true,
    environment: { keys: ['ANTHROPIC_API_KEY'], models: ['claude-*'] },
  },
  google: {
    baseUrl: 'https://generativelanguage.googleapis.com',
    noStreamOptions: true,
    runsOn: 'always',
    environment: {
      // In the order in which Google's own libraries look.
      keys: ['GOOGLE_API_KEY', 'GEMINI_API_KEY'],
      models: ['gemini-*', 'gemma-*', 'learnlm-*'],
    },
  },
  deepseek: {
    baseUrl: 'https://api.deepseek.com',
    environment: { keys: ['DEEPSEEK_API_KEY'], models: ['deepseek-*'] },
  },
  mistral: {
    baseUrl: 'https://api.mistral.ai',
    // Answers 422 `extra_forbidden` to stream_options and max_completion_tokens (avante.nvim #2347, eca #231).
    noStreamOptions: true,
    runsOn: 'always',
    environment: {
      keys: ['MISTRAL_API_KEY'],
      models: [
        'mistral-*',
        'ministral-*',
        'magistral-*',
        'codestral-*',
        'devstral-*',
        'pixtral-*',
        'voxtral-*',
        'open-mi*',
      ],
    },
  },
  groq: {
    baseUrl: 'https://api.groq.com/openai',
    reasoningField: 'reasoning',
    runsOn: 'always',
    environment: {
      keys: ['GROQ_API_KEY'],
      models: ['llama-*', 'gemma*', 'groq/*', 'meta-llama/*', 'moonshotai/*', 'openai/gpt-oss-*', 'qwen/*'],
    },
  },
  grok: { baseUrl: 'https://api.x.ai', environment: { keys: ['XAI_API_KEY'], models: ['grok-*'] } },
  openrouter: {
    baseUrl: 'https://openrouter.ai/api',
    reasoningField: 'reasoning',
    runsOn: 'plain',
    // It has a model of everybody, so it comes after whoever serves the model himself.
    environment: { keys: ['OPENROUTER_API_KEY'], models: ['*/*'], priority: 20 },
  },
  ollama: { baseUrl: 'http://localhost:11434', local: true, noStreamOptions: true },
  llamacpp: { baseUrl: 'http://localhost:8080', local: true },
  lmstudio: { baseUrl: 'http://localhost:1234', local: true, reasoningField: 'reasoning' },
  localai: { baseUrl: 'http://localhost:8080', local: true, looseChoices: true },
  vllm: { baseUrl: 'http://localhost:8000', local: true, reasoningField: 'reasoning' },
  tensorrt: { baseUrl: 'http://localhost:8000', local: true, looseChoices: true },
  onnx: { baseUrl: 'http://localhost:8000', local: true, looseChoices: true },
  synapse: { baseUrl: 'http://localhost:5000', local: true, looseChoices: true, trains: true },
  // The package knows its addresses.
  'ai-sdk': { baseUrl: '', noStreamOptions: true },
  demo: { baseUrl: '', local: true },
} as const satisfies Readonly<Record<string, CatalogEntry>>

/** All provider types, in the order of the catalogue. */
export const PROVIDER_TYPES = Object.keys(PROVIDER_CATALOG) as readonly (keyof typeof PROVIDER_CATALOG)[]
