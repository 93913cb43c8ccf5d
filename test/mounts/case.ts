import type { HooshOptions } from '@hoosh/core'
import type { ScriptedProvider } from '@hoosh/core/testing'
import type { App, AppPlan, Mount } from './plan.js'

/** What a mount has to do. */
export interface Case {
  /** A sentence about hoosh on that mount. */
  readonly name: string
  /** Where it is more than the 30 s of any test, on a machine that does other things too. */
  readonly timeoutMs?: number
  run(scene: Scene): Promise<void>
}

/** Where a case plays: its mount, a provider that knows its true bill, and a user of its own. */
export interface Scene {
  readonly mount: Mount
  readonly provider: ScriptedProvider
  readonly user: string
  app(plan: PlanName): Promise<App>
  /** Sends a request as the case's user; a body is JSON and makes it a POST. */
  send(path: string, options?: SendOptions): Promise<Response>
  /** A chat call to the `plain` app. */
  chat(more?: Record<string, unknown>, options?: Omit<SendOptions, 'body'>): Promise<Response>
  /** The user's own pool in the `plain` app. */
  pool(): Promise<{ used: number; reserved: number }>
  /** Resolves when nothing is held for the user any more. */
  settled(): Promise<void>
}

interface SendOptions {
  readonly plan?: PlanName
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: RequestInit['body'] | object
  readonly signal?: AbortSignal
}

export type PlanName = keyof ReturnType<typeof plansFor>

/** Bodies of the gateway at `/small`. */
export const SMALL_BYTES = 20_000

/** The apps that all cases share: a few, since some mounts start a process for each. */
export function plansFor(providerUrl: string) {
  const options: HooshOptions = {
    providers: [{ type: 'openai', baseUrl: providerUrl, apiKey: 'sk-root' }],
    pools: { 'user:*': {} },
  }
  const keyed = (apiKey: string): HooshOptions => ({ ...options, providers: [{ ...options.providers![0]!, apiKey }] })
  const root = { path: '', options }
  return {
    plain: { gateways: [root] },
    parsed: { parser: 'json', gateways: [root] },
    raw: { parser: 'raw', gateways: [root] },
    compressed: { compression: true, parser: 'json', gateways: [root] },
    many: {
      gateways: [
        { path: '/a', options: keyed('sk-a') },
        { path: '/b', options: keyed('sk-b') },
        { path: '/cors', options: { ...options, cors: { origins: ['https://app.test'] } } },
        { path: '/small', options: { ...options, maxBodyBytes: SMALL_BYTES } },
        { path: '/throws', options, identify: 'throws' },
        { path: '/refuses', options, identify: 'refuses' },
        { path: '/absent', options, identify: 'absent' },
      ],
    },
  } satisfies Record<string, AppPlan>
}

export const question = (more: Record<string, unknown> = {}) => ({
  model: 'gpt-4o',
  messages: [{ role: 'user', content: 'Say something about the sea.' }],
  ...more,
})

export function sceneOf(parts: Pick<Scene, 'mount' | 'app' | 'provider' | 'user'>): Scene {
  const { app, user } = parts
  const send: Scene['send'] = async (path, { plan = 'plain', body, headers, signal, method } = {}) => {
    const { url } = await app(plan)
    const isText = body === undefined || typeof body === 'string' || body instanceof FormData
    return fetch(`${url}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: `Bearer ${user}-token`,
        ...(body instanceof FormData ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
  }
  const pool: Scene['pool'] = async () => {
    const pools = (await (await send('/v1/tokens/pools')).json()) as [{ used: number; reserved: number }]
    return pools[0]
  }
  return {
    ...parts,
    send,
    chat: (more, options) => send('/v1/chat/completions', { ...options, body: question(more) }),
    pool,
    async settled() {
      while ((await pool()).reserved !== 0) await new Promise((resolve) => setTimeout(resolve, 5))
    },
  }
}
