import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { type CatalogEntry, PROVIDER_CATALOG } from '../../packages/core/src/config/provider-catalog.js'
import { child, killed } from '../support/children.js'

/** An example that has printed what to type. */
export interface Example {
  readonly url: string
  /** The commands it printed, each of one `curl` and what a shell continues it with. */
  readonly commands: readonly string[]
  /** Runs one of them as somebody who copies it would. */
  run(command: string | undefined): Promise<string>
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
}

/** An environment in which no provider is found. */
export const NO_KEYS: NodeJS.ProcessEnv = Object.fromEntries(
  Object.values<CatalogEntry>(PROVIDER_CATALOG).flatMap(({ environment }) =>
    (environment?.keys ?? []).map((key) => [key, '']),
  ),
)

/** Starts `examples/<name>` as it is built, on a free port and without keys of providers; it ends with the test. */
export async function startExample(
  name: string,
  { cwd, env = {} }: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<Example> {
  const app = await child(new URL(`../../examples/${name}/dist/main.js`, import.meta.url), [], {
    PORT: '0',
    ...NO_KEYS,
    NODE_ENV: 'test',
    ...env,
  })
  onTestFinished(() => killed(app.process))
  while (!/tokens\/pools.*\n/.test(app.output())) await new Promise((resolve) => setTimeout(resolve, 20))
  const printed = app.output()
  const variable = /^ *(\w+=\S+)$/m.exec(printed)?.[1] ?? ''
  return {
    url: /http:\/\/127\.0\.0\.1:\d+/.exec(printed)![0],
    commands: [...printed.matchAll(/^ *(curl (?:.*\\\n)*.*)$/gm)].map((match) => match[1]!),
    async run(command) {
      const { stdout } = await promisify(execFile)(
        'sh',
        ['-c', `${variable}\n${command!.replace('curl', 'curl -sS')}`],
        { cwd },
      )
      return stdout
    },
    async stop() {
      await killed(app.process, 'SIGTERM')
      return app.process.exitCode
    },
  }
}
