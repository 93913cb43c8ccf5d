import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** Why no server can be started here; null where one can. */
export function redisServerMissing(): string | null {
  try {
    execFileSync('redis-server', ['--version'])
    return null
  } catch {
    return 'no redis-server in the PATH'
  }
}

/** A Redis of its own: a folder and a port that it keeps over restarts. */
export interface OwnRedis {
  readonly url: string
  readonly port: number
  /** Resolves once it answers. */
  start(): Promise<void>
  /** @param signal SIGKILL leaves it no time to save anything */
  stop(signal?: NodeJS.Signals): Promise<void>
  remove(): Promise<void>
}

/** @param settings as in redis.conf: `appendonly yes` */
export async function ownRedis(...settings: readonly string[]): Promise<OwnRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-redis-'))
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--logfile', 'log']
  for (const setting of settings) {
    const [name, ...value] = setting.split(' ')
    args.push(`--${name}`, ...value)
  }
  let running: ChildProcess | undefined
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (running === undefined) return
    const ended = once(running, 'exit')
    running.kill(signal)
    await ended
    running = undefined
  }
  const own: OwnRedis = {
    url: `redis://127.0.0.1:${port}`,
    port,
    async start() {
      running = spawn('redis-server', args, { stdio: 'ignore' })
      await answers(port)
    },
    stop,
    async remove() {
      await stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await own.start()
  return own
}

/** Connecting fails until it listens, and commands fail until it has read its file. */
async function answers(port: number): Promise<void> {
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => {})
  try {
    await client.ping()
  } finally {
    client.disconnect()
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
