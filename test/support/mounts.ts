import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bearerTokens, type Gateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { hoosh } from '@hoosh/express'
import express from 'express'
import express4 from 'express4'

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

/** Every way of mounting that exists here, for suites that run on each. */
export const MOUNTS: readonly { name: string; mount(gateway: Gateway): RequestListener }[] = [
  { name: 'node:http', mount: (gateway) => toNodeHandler(gateway, { identify }) },
  { name: 'Express 5', mount: (gateway) => express().use(hoosh(gateway, { identify })) },
  { name: 'Express 4', mount: (gateway) => express4().use(hoosh(gateway, { identify })) as unknown as RequestListener },
]
