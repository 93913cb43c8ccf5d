import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { killed } from '../../support/children.js'
import type { App, AppPlan, Mount } from '../plan.js'

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' as const, FORCE_COLOR: '0' }

/** Where an app is, and the Next.js that it is built and started with. */
export interface NextApp {
  readonly folder: string
  readonly bin: string
}

/** An app of Next.js that is built once and then started for each plan, in a process of its own. */
export function mountOn(name: string, app: NextApp): Mount {
  return {
    name,
    hasNext: false,
    seesSocket: false,
    dropsLength: true,
    without: {
      'a body that the host has parsed': 'a web request keeps no parsed body',
      'a body that the host keeps as it came': 'a web request keeps no parsed body',
    },
    start: (plan) => start(app, plan),
  }
}

export const next16: NextApp = {
  folder: fileURLToPath(new URL('next-app/', import.meta.url)),
  bin: fileURLToPath(new URL('../../../node_modules/next/dist/bin/next', import.meta.url)),
}

/** Builds as a host does before it deploys: no secret is there, and none is needed. */
export async function build({ folder, bin }: NextApp): Promise<void> {
  await promisify(execFile)(process.execPath, [bin, 'build', folder], { env })
}

async function start({ folder, bin }: NextApp, plan: AppPlan): Promise<App> {
  const child = spawn(process.execPath, [bin, 'start', folder, '--port', '0', '--hostname', '127.0.0.1'], {
    env: { ...env, APP_PLAN: JSON.stringify(plan), ...(plan.compression === true && { COMPRESS: '1' }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
  const ended = once(child, 'exit').then(() => Promise.reject(new TypeError(`next start ended: ${said}`)))
  ended.catch(() => {})
  while (!/Local: +http\S+[\s\S]*Ready/.test(said)) await Promise.race([once(child.stdout, 'data'), ended])
  return { url: /Local: +(http\S+)/.exec(said)![1]!, close: () => killed(child) }
}
