import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once as event } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { killed } from './children.js'
import { once } from './once.js'

/** Where an app is, and the Next.js that it is built and started with. */
export interface NextApp {
  readonly folder: string
  readonly bin: string
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** What a build is made from, beside the app itself. */
const SOURCES = ['packages/core/dist', 'packages/next/dist', 'test/mounts/plan.ts', 'package-lock.json']

const environment = { ...process.env, NODE_ENV: 'production' as const, NEXT_TELEMETRY_DISABLED: '1', FORCE_COLOR: '0' }

/** An app of this repository, with the Next.js that is installed in it. */
export function nextApp(folder: string): NextApp {
  return { folder: join(root, folder), bin: join(root, 'node_modules/next/dist/bin/next') }
}

/** Builds an app as a host does before it deploys, once a run; not again while what it is made from has not changed. */
export function built({ folder, bin }: NextApp): Promise<void> {
  return once(folder.replace(/\W/g, '-'), async () => {
    const stamp = join(folder, '.next/made-from')
    const now = digestOf([folder, ...SOURCES.map((path) => join(root, path))])
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return
    await promisify(execFile)(process.execPath, [bin, 'build', folder], { env: environment })
    writeFileSync(stamp, now)
  })
}

/** Starts an app that is built (or with `dev` one that is not), on a free port, in a process of its own. */
export async function started(
  { folder, bin }: NextApp,
  variables: NodeJS.ProcessEnv,
  how: 'start' | 'dev' = 'start',
): Promise<{ url: string; close(): Promise<void> }> {
  const child = spawn(process.execPath, [bin, how, folder, '--port', '0', '--hostname', '127.0.0.1'], {
    env: { ...environment, ...variables, NODE_ENV: how === 'start' ? 'production' : 'development' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
  const ended = event(child, 'exit').then(() => Promise.reject(new TypeError(`next start ended: ${said}`)))
  ended.catch(() => {})
  while (!/Local: +http\S+[\s\S]*Ready/.test(said)) await Promise.race([event(child.stdout, 'data'), ended])
  return {
    url: /Local: +(http\S+)/.exec(said)![1]!,
    close: () => killed(child, how === 'start' ? 'SIGKILL' : 'SIGTERM'),
  }
}

function digestOf(paths: readonly string[]): string {
  const digest = createHash('sha256')
  for (const file of paths.flatMap(filesIn)) digest.update(`${file}\0`).update(readFileSync(file))
  return digest.digest('hex')
}

/** What the build itself writes is not among them. */
function filesIn(path: string): string[] {
  if (/^(?:\.next|node_modules|next-env\.d\.ts|.*\.tsbuildinfo)$/.test(basename(path))) return []
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)))
}
