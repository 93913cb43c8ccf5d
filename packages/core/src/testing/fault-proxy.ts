import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What the way between two machines does to their bytes. All of it can be changed while connections are open. */
export interface LineFaults {
  /** Milliseconds that every piece takes, each way. */
  readonly latencyMs?: number
  /** Each way. */
  readonly bytesPerSecond?: number
  /** Nothing passes any more, either way, and neither end is told. */
  readonly halfOpen?: boolean
  /** Resets a connection after so many bytes of answers. */
  readonly cutAfterBytes?: number
  /** Resets new connections as soon as they are made. */
  readonly refuses?: boolean
}

/** A TCP proxy that spoils the line. */
export interface FaultProxy {
  readonly port: number
  /** The target's URL with the proxy's address in it. */
  readonly url: string
  /** Connections that are open now. */
  readonly open: number
  /** Connections that were ever made. */
  readonly connections: number
  /** Replaces all faults; `{}` mends the line. */
  set(faults: LineFaults): void
  /** Resets every open connection. */
  resetAll(): void
  close(): Promise<void>
}

interface Line {
  faults: LineFaults
  connections: number
  readonly pairs: Set<readonly [Socket, Socket]>
}

/** Starts a proxy on a free port of 127.0.0.1 before the server that `target` (an http URL) names. */
export async function faultProxy(target: string, faults: LineFaults = {}): Promise<FaultProxy> {
  const url = new URL(target)
  const upstream = { host: url.hostname, port: Number(url.port || 80) }
  const line: Line = { faults, connections: 0, pairs: new Set() }
  const server = createServer((client) => accept(line, client, connect(upstream)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  url.host = `127.0.0.1:${port}`
  return {
    port,
    url: url.href.replace(/\/$/, ''),
    get open() {
      return line.pairs.size
    },
    get connections() {
      return line.connections
    },
    set(next) {
      line.faults = next
    },
    resetAll: () => resetAll(line),
    close: () => closed(server, line),
  }
}

function accept(line: Line, client: Socket, upstream: Socket): void {
  line.connections += 1
  const pair = [client, upstream] as const
  line.pairs.add(pair)
  const closed = () => {
    if (client.destroyed && upstream.destroyed) line.pairs.delete(pair)
  }
  for (const socket of pair)
    socket
      .setNoDelay(true)
      .on('error', () => {})
      .on('close', closed)
  if (line.faults.refuses === true) {
    client.resetAndDestroy()
    upstream.destroy()
    return
  }
  void forward(line, client, upstream, null)
  void forward(line, upstream, client, { bytes: 0 })
}

/** Passes on what comes, in order, one piece at a time: a slow line is also one that holds back its sender. */
async function forward(line: Line, from: Socket, to: Socket, answered: { bytes: number } | null): Promise<void> {
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      const { latencyMs = 0, bytesPerSecond = Infinity } = line.faults
      const waitMs = latencyMs + (chunk.length / bytesPerSecond) * 1_000
      if (waitMs > 0) await sleep(waitMs)
      const { halfOpen = false, cutAfterBytes = Infinity } = line.faults
      if (halfOpen || to.destroyed) continue
      const room = answered === null ? Infinity : cutAfterBytes - answered.bytes
      if (answered !== null) answered.bytes += chunk.length
      await new Promise((resolve) => to.write(chunk.subarray(0, room), resolve))
      if (chunk.length > room) to.resetAndDestroy()
    }
    if (line.faults.halfOpen !== true) to.end()
  } catch {
    to.resetAndDestroy() // a reset on one side is one on the other
  }
}

function resetAll(line: Line): void {
  for (const [client, upstream] of line.pairs) {
    client.resetAndDestroy()
    upstream.resetAndDestroy()
  }
}

function closed(server: Server, line: Line): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    resetAll(line)
  })
}
