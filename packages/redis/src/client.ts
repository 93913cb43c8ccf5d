import { HooshError } from '@hoosh/core/storage'
import type { Script } from './scripts/script.js'

/** ioredis 5 or 6, `Redis` or `Cluster`: the two methods that are called. */
export interface IoredisClient {
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  evalsha(sha: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
}

/** node-redis 5 or 6, a client, a pool or a cluster: the two methods that are called. */
export interface NodeRedisClient {
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

/** The host's own client, connected by the host and closed by it. */
export type RedisClient = IoredisClient | NodeRedisClient

/** Runs a script on one key and its arguments. */
export type RunScript = (script: Script, key: string, args: readonly string[]) => Promise<unknown>

/** @throws HooshError `invalid_options` for what is no client: an address, say, which is not repeated */
export function checkClient(client: unknown): void {
  const has = (name: string) => typeof (client as Record<string, unknown> | null | undefined)?.[name] === 'function'
  if (has('eval') && (has('evalSha') || has('evalsha'))) return
  const given = typeof client === 'string' ? 'a text' : client === null ? 'null' : `of type ${typeof client}`
  const message = `redisStorage takes a client, \`new Redis(url)\` of ioredis or \`createClient({ url })\` of node-redis; what it was given is ${given}.`
  throw new HooshError('invalid_options', { message })
}

/** Scripts are named by their digest; a server that does not know one yet is sent its text. */
export function scriptsOn(client: RedisClient): RunScript {
  const [bySha, byText] =
    'evalSha' in client
      ? [
          (sha: string, key: string, args: readonly string[]) =>
            client.evalSha(sha, { keys: [key], arguments: [...args] }),
          (text: string, key: string, args: readonly string[]) =>
            client.eval(text, { keys: [key], arguments: [...args] }),
        ]
      : [
          (sha: string, key: string, args: readonly string[]) => client.evalsha(sha, 1, key, ...args),
          (text: string, key: string, args: readonly string[]) => client.eval(text, 1, key, ...args),
        ]
  // A thousand calls that find the server without a script send its text once; the others wait for that.
  const texts = new Map<string, Promise<unknown>>()
  const run: RunScript = async (script, key, args) => {
    try {
      return await bySha(script.sha, key, args)
    } catch (error) {
      if (!isUnknownScript(error)) throw error
    }
    const sent = texts.get(script.sha)
    if (sent === undefined) {
      const sending = byText(script.text, key, args)
      texts.set(script.sha, sending)
      return sending.finally(() => texts.delete(script.sha))
    }
    await sent.catch(() => {})
    return run(script, key, args)
  }
  return run
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
