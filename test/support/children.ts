import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A script in a process of its own, of Node unless said; resolves with the first line it prints. */
export async function child(
  script: URL,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  [command, ...before]: readonly [string, ...string[]] = [process.execPath],
): Promise<{ process: ChildProcess; line: string; output(): string }> {
  const running = spawn(command, [...before, fileURLToPath(script), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  running.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  // Not `exit`, which may be heard of before all that was printed.
  const closed = once(running, 'close').then(() => true)
  while (!output.includes('\n')) {
    const isClosed = await Promise.race([once(running.stdout!, 'data').then(() => false), closed])
    if (isClosed && !output.includes('\n')) throw new TypeError(`the child ended: ${output.slice(0, 2_000)}`)
  }
  return { process: running, line: output.split('\n')[0]!, output: () => output }
}

export async function killed(running: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return
  running.kill(signal)
  await once(running, 'exit')
}
