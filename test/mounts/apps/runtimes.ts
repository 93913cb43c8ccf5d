import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { child, killed } from '../../support/children.js'
import type { AppPlan, Mount } from '../plan.js'

const UNCAUGHT = 'does not apply: these servers take the status of no error'

/** Runtimes whose packages run here; `npm install --no-save bun deno`, as CI does it. */
export const RUNTIMES = [
  { name: 'fetch (Bun)', command: 'bun', args: [] },
  { name: 'fetch (Deno)', command: 'deno', args: ['run', '-A'] },
] as const

/** The fetch mount on another runtime; null where that is not installed, in the repository or on the machine. */
export function mountOn({ name, command, args }: (typeof RUNTIMES)[number]): Mount | null {
  const local = fileURLToPath(new URL(`../../../node_modules/.bin/${command}`, import.meta.url))
  const found = existsSync(local) ? local : command
  try {
    execFileSync(found, ['--version'], { stdio: 'ignore' })
  } catch {
    return null
  }
  return {
    name,
    hasNext: false,
    seesSocket: false,
    without: {
      'a body that the host keeps as it came':
        'does not apply: a web request has no such place; its clone is the case above',
      'an error of hoosh that a handler lets pass becomes the answer of the framework': UNCAUGHT,
    },
    async start(plan: AppPlan) {
      const script = new URL('./web-child.mjs', import.meta.url)
      const env = { PLAN: JSON.stringify(plan), NODE_ENV: 'test' }
      const running = await child(script, [], env, [found, ...args])
      return { url: running.line, close: () => killed(running.process) }
    },
  }
}
