import { HooshError } from '../errors.js'
import type { ProviderOptions } from '../options.js'
import type { Environment } from './environment.js'

/** Where servers of models listen unless told otherwise. */
const SERVERS: readonly ProviderOptions[] = [
  { type: 'ollama', baseUrl: 'http://127.0.0.1:11434', priority: 20 },
  { type: 'llamacpp', baseUrl: 'http://127.0.0.1:8080', priority: 20 },
  { type: 'lmstudio', baseUrl: 'http://127.0.0.1:1234', priority: 20 },
]

/** On this machine a server answers at once or is not there, ms. */
const PATIENCE_MS = 500

/**
 * Model servers that run on this machine, where `HOOSH_LOCAL=auto` asks to look for them. Other programs like these
 * ports too, so a server counts only if it lists its models.
 *
 * @throws HooshError `invalid_options` where `HOOSH_LOCAL` has another value
 */
export async function localServers(environment: Environment, get: typeof fetch): Promise<ProviderOptions[]> {
  const wish = environment.HOOSH_LOCAL
  if (wish === undefined || wish === '') return []
  if (wish !== 'auto') {
    throw new HooshError('invalid_options', {
      message: 'The environment variable HOOSH_LOCAL has to be "auto", or not set.',
    })
  }
  const found = await Promise.all(SERVERS.map(async (server) => ((await listsModels(server, get)) ? [server] : [])))
  return found.flat()
}

async function listsModels(server: ProviderOptions, get: typeof fetch): Promise<boolean> {
  try {
    const answer = await get(`${server.baseUrl}/v1/models`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      redirect: 'error',
    })
    if (!answer.ok) return false
    const body = (await answer.json()) as { data?: unknown } | null
    return Array.isArray(body?.data)
  } catch {
    return false // nobody listens there, or somebody else
  }
}
