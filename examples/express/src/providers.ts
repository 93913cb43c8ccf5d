import type { ProviderOptions } from '@hoosh/core'

/** Which variables may hold a provider's key, what it is asked for, and the small model that this app asks. */
const HOSTED = [
  {
    type: 'openai',
    keys: ['OPENAI_API_KEY'],
    models: ['gpt-*', 'o3*', 'o4*', 'text-embedding-*'],
    chat: 'gpt-4o-mini',
  },
  { type: 'anthropic', keys: ['ANTHROPIC_API_KEY'], models: ['claude-*'], chat: 'claude-haiku-4-5' },
  { type: 'google', keys: ['GOOGLE_API_KEY', 'GEMINI_API_KEY'], models: ['gemini-*'], chat: 'gemini-2.5-flash-lite' },
  { type: 'deepseek', keys: ['DEEPSEEK_API_KEY'], models: ['deepseek-*'], chat: 'deepseek-chat' },
  { type: 'mistral', keys: ['MISTRAL_API_KEY'], models: ['mistral-*'], chat: 'mistral-small-latest' },
  { type: 'groq', keys: ['GROQ_API_KEY'], models: ['llama-*'], chat: 'llama-3.1-8b-instant' },
  { type: 'grok', keys: ['XAI_API_KEY'], models: ['grok-*'], chat: 'grok-3-mini' },
  { type: 'openrouter', keys: ['OPENROUTER_API_KEY'], models: ['*/*'], chat: 'openai/gpt-4o-mini' },
] as const

/** Real providers where their keys are in the environment, and the built-in demo, which says what it is. */
export function providersFrom(env: NodeJS.ProcessEnv): { providers: ProviderOptions[]; model: string } {
  const found = HOSTED.flatMap(({ type, keys, models, chat }) => {
    const key = keys.find((name) => env[name])
    return key === undefined ? [] : [{ options: { type, apiKey: `$${key}`, models: [...models] }, chat }]
  })
  return {
    providers: [...found.map(({ options }) => options), { type: 'demo', models: ['demo*'] }],
    model: found[0]?.chat ?? 'demo',
  }
}
