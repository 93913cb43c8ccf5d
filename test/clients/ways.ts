import type { HooshOptions } from '@hoosh/core'
import { type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { MOUNTS } from '../mounts/apps/all.js'
import { gatewayOf, PREPARE_MS } from '../mounts/plan.js'

/** What a client is made with, to be somebody. */
export interface Credentials {
  readonly baseURL: string
  readonly apiKey: string
  readonly fetch: typeof globalThis.fetch
}

/** How a client reaches hoosh. */
export interface Access {
  readonly alice: Credentials
  readonly nobody: Credentials
  close(): Promise<void>
}

/** A gateway that a suite of a client runs against. */
export interface Reached extends Access {
  /** Answers `gpt-*` and `text-embedding-*`; all other models are the demo's. */
  readonly provider: ScriptedProvider
  /** Alice's pool. */
  pool(): Promise<{ used: number; reserved: number }>
  /** Resolves when nothing is held for Alice any more. */
  settled(): Promise<void>
}

interface Way {
  readonly name: string
  prepare?(): Promise<void>
  open(options: HooshOptions): Promise<Access>
}

const OVER_HTTP: readonly Way[] = MOUNTS.map((mount) => ({
  name: `${mount.name}, over HTTP`,
  ...(mount.prepare && { prepare: mount.prepare }),
  async open(options) {
    const app = await mount.start({ gateways: [{ path: '', options }] })
    const as = (apiKey: string) => ({ baseURL: `${app.url}/v1`, apiKey, fetch: globalThis.fetch })
    return { alice: as('alice-token'), nobody: as('nobody'), close: () => app.close() }
  },
}))

const IN_PROCESS: Way = {
  name: 'in process, over fetch',
  async open(options) {
    const gateway = gatewayOf({ path: '', options })
    const as = ({ fetch }: Pick<Credentials, 'fetch'>) => ({ baseURL: 'http://hoosh/v1', apiKey: 'in-process', fetch })
    return {
      alice: as(gateway.as({ user: 'alice', pool: 'user:alice' })),
      nobody: as(gateway.context({ identify: async () => null })),
      close: () => gateway.close(),
    }
  },
}

/** Runs a client's suite over every mount and in process, each way with a gateway of its own. */
export function describeClient(client: string, suite: (reached: () => Reached) => void): void {
  describe.each([...OVER_HTTP, IN_PROCESS])(`${client} on $name`, ({ prepare, open }) => {
    let reached: Reached
    beforeAll(async () => {
      await prepare?.()
      const provider = await scriptedProvider()
      const access = await open({
        providers: [
          { type: 'demo', models: ['demo*'] },
          { type: 'openai', baseUrl: provider.url, models: ['gpt-*', 'text-embedding-*'] },
        ],
        pools: { 'user:*': { tokens: 10_000_000, window: 'day' } },
      })
      reached = { ...access, provider, ...poolOf(access.alice) }
    }, PREPARE_MS)
    beforeEach(() => reached.provider.reset())
    afterAll(async () => {
      await reached.close()
      await reached.provider.close()
    })
    suite(() => reached)
  })
}

function poolOf({ baseURL, apiKey, fetch }: Credentials): Pick<Reached, 'pool' | 'settled'> {
  const pool: Reached['pool'] = async () => {
    const answer = await fetch(`${baseURL}/tokens/pools`, { headers: { authorization: `Bearer ${apiKey}` } })
    const [first] = (await answer.json()) as [{ used: number; reserved: number }]
    return first
  }
  const settled = async () => {
    while ((await pool()).reserved !== 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return { pool, settled }
}
