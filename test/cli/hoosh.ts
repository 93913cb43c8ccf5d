import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { run as runCommand } from '../../packages/cli/src/run.js'

export const HOOSH = fileURLToPath(new URL('../../packages/cli/bin/hoosh.js', import.meta.url))

/** How a command ended, and what it wrote. */
export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** In a process of its own. */
export const run = (command: string, args: readonly string[], cwd?: string): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(command, args, { cwd }, (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }))
  })

/** The command line in this process, with the packages and drivers of this folder. */
export async function hoosh(args: readonly string[]): Promise<Ended> {
  const out: string[] = []
  const err: string[] = []
  const code = await runCommand(args, { out: (text) => void out.push(text), err: (text) => void err.push(text) })
  const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('')
  return { code, out: textOf(out), err: textOf(err) }
}
