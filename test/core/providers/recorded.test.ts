import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Provider } from '../../../packages/core/src/providers/provider.js'
import { answered, failed, provider, receive, request } from './support.js'

const FOLDER = fileURLToPath(new URL('../../../../shared/fixtures/recorded', import.meta.url))

interface Recording {
  readonly file: string
  readonly dialect: string
  readonly status: number
  readonly contentType: string
  readonly body: string
}

function recordings(): Recording[] {
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => readdirSync(`${FOLDER}/${name}`).map((file) => `${name}/${file}`))
    .map((file) => ({ ...JSON.parse(readFileSync(`${FOLDER}/${file}`, 'utf8')), file }) as Recording)
    .filter(({ dialect }) => dialect === 'openai-chat' || dialect === 'openai-embeddings')
}

describe.skipIf(!existsSync(FOLDER))(
  'recorded answers (skipped where the recordings are not beside the repository)',
  () => {
    let upstream: ScriptedProvider
    let ours: Provider
    beforeAll(async () => {
      upstream = await scriptedProvider()
      ours = provider({ baseUrl: upstream.url })
    })
    afterAll(async () => {
      await ours.close()
      await upstream.close()
    })

    it('streams come through byte for byte, cut at every byte', async () => {
      const streams = recordings().filter(({ contentType }) => contentType.includes('event-stream'))
      expect(streams.length).toBeGreaterThan(20)
      const sample = streams.filter(({ body }) => body.length < 6_000)
      for (const { body, contentType, file } of sample) {
        upstream.script({ replay: { body, contentType, cutAt: 'every-byte' } })
        const { text } = await receive(await answered(ours, request({ stream: true })))
        expect([file, text]).toEqual([file, body])
      }
    })

    it('plain answers come through byte for byte, whatever content type was recorded', async () => {
      const plain = recordings().filter(({ status, contentType }) => status === 200 && contentType.includes('json'))
      expect(plain.length).toBeGreaterThan(150)
      for (const { body, contentType, file } of plain) {
        upstream.script({ replay: { body, contentType, cutAt: [1, 100, 1_000] } })
        const { text } = await receive(await answered(ours, request({})))
        expect([file, text]).toEqual([file, body])
      }
    })

    it('refusals keep their status and say something of their own', async () => {
      const refusals = recordings().filter(({ status }) => status >= 400)
      expect(refusals.length).toBeGreaterThan(4)
      for (const { status, body } of refusals) {
        upstream.script({ status, body })
        const { error } = await failed(ours, request({}))
        expect(error.status).toBe(status)
        expect(error.message).not.toContain('said no more')
      }
    })
  },
)
