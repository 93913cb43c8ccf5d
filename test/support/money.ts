import { createGateway, type Gateway, type HooshOptions, type Storage } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { identify, people, type Served, serve } from './mounts.js'
import { sqliteFile } from './sqlite.js'

/** Where money is kept, for suites that run on each. */
export const STORES: readonly {
  name: string
  open(clock?: () => number): Promise<{ storage: Partial<Storage>; remove(): Promise<void> }>
}[] = [
  { name: 'memory', open: async () => ({ storage: {}, remove: async () => {} }) },
  {
    name: 'SQLite',
    async open(clock = Date.now) {
      const sqlite = sqliteFile({ clock })
      return { storage: await sqlite.open(), remove: () => sqlite.remove() }
    },
  },
]

/** A gateway before a provider that knows its true bill. */
export interface Till {
  readonly provider: ScriptedProvider
  readonly gateway: Gateway
  readonly url: string
  call(body: Record<string, unknown>, options?: { signal?: AbortSignal; path?: string }): Promise<Response>
  /** The only pool there is. */
  pool(): Promise<{ used: number; reserved: number; available: number }>
  events: { type: string }[]
  close(): Promise<void>
}

export async function till(store: (typeof STORES)[number], options: HooshOptions = {}): Promise<Till> {
  const provider = await scriptedProvider()
  const { storage, remove } = await store.open(options.clock)
  const events: { type: string }[] = []
  const gateway = createGateway({
    providers: [{ type: 'openai', baseUrl: provider.url }],
    storage,
    migrate: true,
    logger: false,
    onEvent: (event) => void events.push(event),
    ...options,
  })
  const served: Served = await serve(toNodeHandler(gateway, { identify }))
  const headers = { authorization: `Bearer ${people.alice.token}`, 'content-type': 'application/json' }
  return {
    provider,
    gateway,
    url: served.url,
    events,
    call: (body, { signal, path = 'chat/completions' } = {}) =>
      fetch(`${served.url}/v1/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        ...(signal && { signal }),
      }),
    async pool() {
      const pools = (await (await fetch(`${served.url}/v1/tokens/pools`, { headers })).json()) as never[]
      return pools[0]!
    },
    async close() {
      provider.release()
      await served.close()
      await gateway.close()
      await provider.close()
      await remove()
    },
  }
}

export const ask = (more: Record<string, unknown> = {}) => ({
  model: 'gpt-4o',
  messages: [{ role: 'user', content: 'Say something about the sea.' }],
  ...more,
})
