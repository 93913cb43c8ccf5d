import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Served, serve } from '../../support/mounts.js'

const folder = fileURLToPath(new URL('../../../../shared/fixtures/bad-input/', import.meta.url))
const suite = `${folder}json-test-suite/`
const files = existsSync(suite) ? readdirSync(suite) : []

describe.skipIf(files.length === 0)('bad input over a socket (skipped where ../shared/fixtures is absent)', () => {
  const gateway = createGateway({ providers: [{ type: 'demo' }], logger: false })
  let served: Served

  beforeAll(async () => {
    served = await serve(toNodeHandler(gateway, { identify: () => ({ user: 'tester' }) }))
  })
  afterAll(async () => {
    await served.close()
    await gateway.close()
  })

  async function send(body: string | Uint8Array) {
    const response = await fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : new Blob([Buffer.from(body)]),
    })
    const answer = (await response.json()) as { error?: { code: string; message: string } }
    return { status: response.status, code: answer.error?.code, message: answer.error?.message }
  }

  it.each(files.filter((name) => name.startsWith('n_')))('%s is a 400 that is understood', async (name) => {
    expect(await send(readFileSync(suite + name))).toMatchObject({
      status: 400,
      code: expect.stringMatching(/^invalid_(json|request)$/),
    })
  })

  it.each(files.filter((name) => name.startsWith('y_')))('%s is never a fault of its syntax', async (name) => {
    expect(await send(readFileSync(suite + name))).toMatchObject({ status: 400, code: 'invalid_request' })
  })

  it.each(files.filter((name) => name.startsWith('i_')))('%s is refused without a fault of ours', async (name) => {
    expect((await send(readFileSync(suite + name))).status).toBe(400)
  })

  it('naughty strings in every text field cause no fault of ours', async () => {
    const strings = JSON.parse(readFileSync(`${folder}naughty-strings.json`, 'utf8')) as string[]
    for (const naughty of strings) {
      const messages = [{ role: 'user', content: naughty, name: naughty }]
      const { status, message } = await send(JSON.stringify({ model: naughty, user: naughty, pool: naughty, messages }))
      expect(status, `${naughty}: ${message}`).toBeLessThan(500)
      const plain = await send(
        JSON.stringify({ model: 'demo', [naughty === 'model' ? 'x' : naughty]: naughty, messages }),
      )
      expect(plain.status, `${naughty}: ${plain.message}`).toBeLessThan(500)
    }
  })
})
