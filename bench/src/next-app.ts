import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Peer } from './peers.js'

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Builds `next-app/`, which the servers of Next.js serve, if one of them is measured. About a minute, the first time. */
export async function buildNextApp(peers: readonly Peer[]): Promise<void> {
  if (!peers.some(({ module }) => module.includes('next'))) return
  const args = [pathOf('../../node_modules/next/dist/bin/next'), 'build', pathOf('../next-app/')]
  const env = { ...process.env, NODE_ENV: 'production' as const, NEXT_TELEMETRY_DISABLED: '1' }
  await promisify(execFile)(process.execPath, args, { env })
}
