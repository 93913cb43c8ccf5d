import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bearerTokens, type Gateway } from '@hoosh/core'

/** A server on a free port of this machine. */
export interface Served {
  readonly url: string
  readonly server: Server
  close(): Promise<void>
}

/** @param gateways closed with the server */
export async function serve(listener: RequestListener, gateways: readonly Gateway[] = []): Promise<Served> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await Promise.all(gateways.map((gateway) => gateway.close()))
    },
  }
}

/** Who can sign in where a test does not say otherwise. */
export const people = {
  alice: { token: 'alice-token', user: 'alice', pool: 'user:alice' },
  bob: { token: 'bob-token', user: 'bob', pool: 'user:bob' },
  admin: { token: 'admin-token', user: 'root', pool: 'user:root', roles: ['admin'] },
}

export const identify = bearerTokens(Object.values(people))
