import { execFile } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where Debian keeps the programs of the newest version; null where there is none. */
const BIN = binaries()

export const hasPostgresPrograms = BIN !== null

function binaries(): string | null {
  const root = '/usr/lib/postgresql'
  if (!existsSync(root)) return null
  const [newest] = readdirSync(root).sort((a, b) => Number(b) - Number(a))
  const bin = newest === undefined ? '' : join(root, newest, 'bin')
  return existsSync(join(bin, 'initdb')) ? bin : null
}

/** A server of a test's own, which may be stopped. */
export interface PostgresServer {
  readonly port: number
  /** `immediate` is as a crash. */
  stop(mode: 'fast' | 'immediate'): Promise<void>
  start(): Promise<void>
  /** Begins it anew as a replica, which only reads: of nobody, so that it lags for good. */
  demote(): Promise<void>
  remove(): Promise<void>
}

/** Makes and starts one, in a folder of its own and as a user who is not root, since as root it would not run. */
export async function postgresServer(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-pg-'))
  const as = await whoever(folder)
  const data = join(folder, 'data')
  const port = await freePort()
  const call = (program: string, ...args: string[]) => run(join(BIN!, program), args, { ...as, cwd: folder })
  await call('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E', 'UTF8')
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c shared_buffers=16MB`
  const start = async () =>
    void (await call('pg_ctl', '-D', data, '-w', '-l', join(folder, 'log'), '-o', options, 'start'))
  const stop = async (mode: string) => void (await call('pg_ctl', '-D', data, '-w', '-m', mode, 'stop'))
  await start()
  return {
    port,
    start,
    stop,
    async demote() {
      await stop('fast')
      const signal = join(data, 'standby.signal')
      writeFileSync(signal, '')
      if (as.uid !== undefined) chownSync(signal, as.uid, as.gid!)
      await start()
    },
    async remove() {
      await stop('immediate').catch(() => {})
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function whoever(folder: string): Promise<{ uid?: number; gid?: number }> {
  if (userInfo().uid !== 0) return {}
  const of = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout)
  const [uid, gid] = [await of('-u'), await of('-g')]
  chownSync(folder, uid, gid)
  return { uid, gid }
}

/** A port that was free a moment ago: the server takes only a number. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
