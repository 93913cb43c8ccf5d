import { createGateway } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { providersFrom } from '../../examples/express/src/providers.js'
import { type CatalogEntry, PROVIDER_CATALOG } from '../../packages/core/src/config/provider-catalog.js'
import { compileGlob } from '../../packages/core/src/glob.js'

const hosted = Object.entries<CatalogEntry>(PROVIDER_CATALOG).flatMap(([type, { environment }]) =>
  (environment?.keys ?? []).map((key) => ({ type, key })),
)

describe('examples/express', () => {
  it.each(hosted)('with $key alone asks $type for a model that it takes', ({ type, key }) => {
    const { providers, model } = providersFrom({ [key]: 'x' })
    expect(providers.map((provider) => provider.type)).toEqual([type, 'demo'])
    expect(providers[0]).toMatchObject({ apiKey: `$${key}` })
    expect(providers[0]!.models!.some((pattern) => compileGlob(pattern).test(model))).toBe(true)
    createGateway({ providers, logger: false })
  })

  it('asks the first of several, and the demo where no key is set', () => {
    const { providers, model } = providersFrom({ OPENROUTER_API_KEY: 'x', OPENAI_API_KEY: 'y', GROQ_API_KEY: '' })
    expect([providers.map(({ type }) => type), model]).toEqual([['openai', 'openrouter', 'demo'], 'gpt-4o-mini'])
    expect(providersFrom({})).toMatchObject({ providers: [{ type: 'demo' }], model: 'demo' })
  })
})
