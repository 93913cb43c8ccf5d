import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { child, killed } from '../../support/children.js'
import type { AppPlan, Mount } from '../plan.js'

const UNCAUGHT = 'these servers take the status of no error'

/** The fetch mount on another runtime; null where that is not installed, in the repository or on the machine. */
function mountOn(name: string, command: string, args: readonly string[]): Mount | null {
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
      'a body that the host keeps as it came': 'a web request has no such place; its clone is the case above',
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

export const bunMount = mountOn('fetch (Bun)', 'bun', [])
export const denoMount = mountOn('fetch (Deno)', 'deno', ['run', '-A'])
