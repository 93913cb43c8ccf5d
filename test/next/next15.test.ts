import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, it } from 'vitest'
import { nextMountOf } from '../mounts/apps/next.js'
import { testMount } from '../mounts/matrix.js'
import { built, type NextApp } from '../support/next-app.js'
import { testInNext } from './in-next.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The same app with Next 15, in a folder of its own: as a user installs it, from the packages as they are published. */
async function install(folder: string): Promise<void> {
  const run = (...args: string[]) => promisify(execFile)('npm', [...args, '--loglevel=error'], { cwd: folder })
  for (const name of ['core', 'next']) await run('pack', join(root, 'packages', name))
  const tarballs = readdirSync(folder).filter((file) => file.endsWith('.tgz'))
  cpSync(join(root, 'test/mounts/plan.ts'), join(folder, 'mounts/plan.ts'))
  const isSource = (path: string) => !/\.next|next-env|tsbuildinfo/.test(path)
  cpSync(join(root, 'test/mounts/apps/next-app'), join(folder, APP), { recursive: true, filter: isSource })
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  const others = ['next@15', 'react@19', 'react-dom@19', 'typescript@5', '@types/react@19', '@types/node@20']
  await run('install', '--no-audit', '--no-fund', ...tarballs.map((file) => `./${file}`), ...others)
}

const APP = 'mounts/apps/next-app'

if (process.env.HOOSH_LONG === '1') {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-next15-'))
  const app: NextApp = { folder: join(folder, APP), bin: join(folder, 'node_modules/next/dist/bin/next') }
  const mount = nextMountOf('Next 15', app, async () => {
    if (readdirSync(folder).length === 0) await install(folder)
    await built(app)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  testMount(mount)
  testInNext(mount)
} else {
  it('Next 15 does what Next 16 does', ({ skip }) => skip('it is installed for this alone: npm run test:long'))
}
