import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export type Question = 'cpu' | 'memory'

export type Answer = { port: number } | { us: number } | { bytes: number }

/** A server in a process of its own. Ask one thing at a time. */
export interface Server {
  readonly url: string
  /** CPU time of the process so far, user and system, in microseconds. */
  cpuUs(): Promise<number>
  /** What is in use after a garbage collection: heap and what it holds outside, in bytes. */
  memoryBytes(): Promise<number>
  stop(): void
}

/** Starts `servers/<module>.js`; rejects with its exit code where it does not come up. */
export async function start(module: string, upstreamUrl = ''): Promise<Server> {
  const file = fileURLToPath(new URL(`./servers/${module}.js`, import.meta.url))
  const child = fork(file, [upstreamUrl], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'], // logs are written, as in production, and read by nobody
  })
  const { port } = (await answer(child, module)) as { port: number }
  const ask = (question: Question): Promise<Answer> => {
    const answered = answer(child, module)
    child.send(question)
    return answered
  }
  return {
    url: `http://127.0.0.1:${port}`,
    cpuUs: async () => ((await ask('cpu')) as { us: number }).us,
    memoryBytes: async () => ((await ask('memory')) as { bytes: number }).bytes,
    stop: () => child.disconnect(),
  }
}

async function answer(child: ChildProcess, module: string): Promise<Answer> {
  const gone = new AbortController()
  const exited = once(child, 'exit', { signal: gone.signal }).then(([code]) => {
    assert.fail(`bench server ${module} ended with code ${code}`)
  })
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal: gone.signal }), exited])) as [Answer]
    return message
  } finally {
    gone.abort()
    exited.catch(() => {})
  }
}
