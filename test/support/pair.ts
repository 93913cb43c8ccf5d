import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import type { HooshOptions } from '@hoosh/core'
import type { ScriptedProvider, ScriptedProviderOptions } from '@hoosh/core/testing'
import { onTestFinished } from 'vitest'
import { type Door, door, upstream } from './door.js'

/** Two scripted providers of every model, `main` before `spare`. */
export interface Pair {
  readonly to: Door
  readonly main: ScriptedProvider
  readonly spare: ScriptedProvider
}

export async function pair(options: HooshOptions = {}, main: ScriptedProviderOptions = {}): Promise<Pair> {
  const providers = { main: await upstream(main), spare: await upstream() }
  const to = await door({
    providers: Object.entries(providers).map(([name, { url }]) => ({
      type: 'openai',
      name,
      baseUrl: url,
      apiKey: `sk-secret-of-${name}`,
    })),
    ...options,
  })
  return { to, ...providers }
}

/** A server that takes connections and never says a word, so that TLS never comes about. */
export async function silentUrl(): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => void sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What alice's only pool says. */
export async function poolOf(to: Door): Promise<{ used: number; reserved: number; available: number }> {
  return ((await to.get('/v1/tokens/pools')).body as never[])[0]!
}

/** The same once nothing is held any more: the last words of a call come before its bookkeeping where it broke off. */
export async function settledPool(to: Door): Promise<{ used: number; reserved: number; available: number }> {
  for (;;) {
    const pool = await poolOf(to)
    if (pool.reserved === 0) return pool
  }
}
