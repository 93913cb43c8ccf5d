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
  return async (script, key, args) => {
    try {
      return await bySha(script.sha, key, args)
    } catch (error) {
      if (!isUnknownScript(error)) throw error
      return byText(script.text, key, args)
    }
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
