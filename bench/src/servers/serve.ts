import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Answer, Question } from '../child.js'

/** Longer than a run: reconnecting is no part of what is measured. */
const KEEP_ALIVE_MS = 600_000

/** Where the fake upstream listens, without `/v1`. The upstream itself has none. */
export const upstreamUrl = process.argv[2] ?? ''

/** Listens on a free port, tells the parent, and from then on answers its questions about this process. */
export function serve(handler: RequestListener): void {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, handler)
  server.listen(0, '127.0.0.1', () => tell({ port: (server.address() as AddressInfo).port }))
  process.on('message', (question: Question) => tell(question === 'cpu' ? cpu() : memory()))
  process.on('disconnect', () => process.exit())
}

function tell(answer: Answer): void {
  process.send!(answer)
}

function cpu(): Answer {
  const { user, system } = process.cpuUsage()
  return { us: user + system }
}

function memory(): Answer {
  globalThis.gc!()
  globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return { bytes: heapUsed + external }
}
