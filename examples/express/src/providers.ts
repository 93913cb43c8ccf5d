import type { ProviderOptions } from '@hoosh/core'

/** Real providers where their keys are in the environment, else the built-in demo, which says what it is. */
export function providersFrom(env: NodeJS.ProcessEnv): { providers: ProviderOptions[]; model: string } {
  const providers: ProviderOptions[] = []
  const models: string[] = []
  if (env.OPENAI_API_KEY) {
    providers.push({
      type: 'openai',
      apiKey: '$OPENAI_API_KEY',
      models: ['gpt-*', 'o*', 'text-embedding-*'],
      priority: 1,
    })
    models.push('gpt-4o-mini')
  }
  if (env.GROQ_API_KEY) {
    providers.push({ type: 'groq', apiKey: '$GROQ_API_KEY', models: ['llama-*'], priority: 2 })
    models.push('llama-3.1-8b-instant')
  }
  if (env.MISTRAL_API_KEY) {
    providers.push({ type: 'mistral', apiKey: '$MISTRAL_API_KEY', models: ['mistral-*'], priority: 3 })
    models.push('mistral-small-latest')
  }
  providers.push({ type: 'demo', models: ['demo*'], priority: 100 })
  return { providers, model: models[0] ?? 'demo' }
}
