import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { upstream } from '../support/door.js'

const script = fileURLToPath(new URL('../../scripts/providers-try.js', import.meta.url))

async function tried(providers: readonly object[]): Promise<{ code: number; out: string }> {
  const running = promisify(execFile)(process.execPath, [script, ...providers.map((one) => JSON.stringify(one))], {
    env: { PATH: process.env.PATH },
  })
  try {
    return { code: 0, out: (await running).stdout }
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string }
    return { code, out: stdout }
  }
}

it('tries what it is given, and says what it did not check', async () => {
  const { url } = await upstream()
  const { code, out } = await tried([
    { type: 'demo' },
    { type: 'openai', name: 'scripted', baseUrl: url, models: ['m'] },
  ])
  expect(out).toMatch(/demo\n {2}models +\d+ listed/)
  expect(out).toMatch(/a forced tool +weather\(\{"city":/)
  expect(out).toMatch(/embeddings +NOT CHECKED/)
  // The scripted provider knows no schemas: that is seen.
  expect(out).toMatch(/JSON of a schema +FAILED/)
  expect(out).toMatch(/Not checked, since no key is set: anthropic/)
  expect(code).toBe(1)
})

it('without any key it checks nothing, and says so', async () => {
  const { code, out } = await tried([])
  expect(out).toContain('0 providers tried, 0 checks failed.')
  expect(code).toBe(0)
})
