import { keyStoreCases } from '@hoosh/core/conformance'
import { memoryKeys } from '@hoosh/core/storage'
import { describe, it } from 'vitest'

describe('keys in memory', () => {
  it.each(keyStoreCases)('$name', async ({ run }) => {
    const store = memoryKeys()
    await run({ open: () => store })
  })
})
