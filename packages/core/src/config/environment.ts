import { HooshError } from '../errors.js'
import type { ProviderOptions } from '../options.js'

/** Variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * A secret that may name a variable: `$NAME` is its value, anything else is itself.
 *
 * @param option for the error: `providers[0].apiKey`
 * @throws HooshError `invalid_options` that names the variable, never its value
 */
export function expanded(secret: string, option: string, environment: Environment): string {
  const name = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(secret)?.[1]
  if (name === undefined) return secret
  const value = environment[name]
  if (value !== undefined && value !== '') return value
  throw new HooshError('invalid_options', {
    message: `${option} reads the environment variable ${name}, which is not set. Set it before the app starts, or remove the option.`,
  })
}

/** Hosted providers by the variables that may hold their key, the first that is set, with the models that are theirs. */
const BY_KEY: readonly (readonly [variables: string, options: ProviderOptions])[] = [
  [
    'OPENAI_API_KEY',
    { type: 'openai', models: ['gpt-*', 'chatgpt-*', 'o1*', 'o3*', 'o4*', 'codex-*', 'text-embedding-*', 'ft:*'] },
  ],
  ['ANTHROPIC_API_KEY', { type: 'anthropic', models: ['claude-*'] }],
  // In the order in which Google's own libraries look.
  ['GOOGLE_API_KEY GEMINI_API_KEY', { type: 'google', models: ['gemini-*', 'gemma-*', 'learnlm-*'] }],
  ['DEEPSEEK_API_KEY', { type: 'deepseek', models: ['deepseek-*'] }],
  [
    'MISTRAL_API_KEY',
    {
      type: 'mistral',
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
  ],
  [
    'GROQ_API_KEY',
    {
      type: 'groq',
      models: ['llama-*', 'gemma*', 'groq/*', 'meta-llama/*', 'moonshotai/*', 'openai/gpt-oss-*', 'qwen/*'],
    },
  ],
  ['XAI_API_KEY', { type: 'grok', models: ['grok-*'] }],
  ['OPENROUTER_API_KEY', { type: 'openrouter', models: ['*/*'], priority: 20 }],
]

/**
 * Providers of the keys that the environment holds (`OPENAI_API_KEY` and the like), in the order of the table above.
 * OpenRouter, which has a model of everybody, comes after whoever serves the model himself.
 */
export function environmentProviders(environment: Environment): ProviderOptions[] {
  return BY_KEY.flatMap(([variables, options]) => {
    const apiKey = variables
      .split(' ')
      .map((variable) => environment[variable])
      .find((key) => key !== undefined && key !== '')
    return apiKey === undefined ? [] : [{ ...options, apiKey }]
  })
}
