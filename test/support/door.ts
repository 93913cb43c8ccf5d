import { createGateway, type Gateway, type HooshEvent, type HooshOptions, type Identify } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import {
  type FakeClock,
  fakeClock,
  type ScriptedProvider,
  type ScriptedProviderOptions,
  scriptedProvider,
} from '@hoosh/core/testing'
import { onTestFinished } from 'vitest'
import { identify, people, serve } from './mounts.js'

/** Whoever can sign in at a door, or nobody. */
export type Who = keyof typeof people | 'nobody'

/** An answer that has come to its end. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined where it is none. */
  readonly body: unknown
}

/** How one request is made where it is not a plain one of alice's. */
export interface Sending {
  readonly as?: Who
  readonly headers?: Readonly<Record<string, string>>
}

/** A gateway on a real port, for one test; all of it is gone when the test ends. */
export interface Door {
  readonly gateway: Gateway
  readonly url: string
  readonly clock: FakeClock
  readonly events: HooshEvent[]
  readonly logged: { level: string; message: string; details: Record<string, unknown> }[]
  get(path: string, sending?: Sending): Promise<Reply>
  post(path: string, body: unknown, sending?: Sending): Promise<Reply>
  send(method: string, path: string, sending?: Sending & { body?: string }): Promise<Reply>
}

/** A gateway on `node:http`, its clock standing still, its log and its events kept. */
export async function door(
  options: HooshOptions = {},
  { identify: who = identify }: { identify?: Identify<unknown> } = {},
): Promise<Door> {
  const clock = fakeClock()
  const events: HooshEvent[] = []
  const logged: Door['logged'] = []
  const log = (level: string) => (details: object, message: string) =>
    void logged.push({ level, message, details: { ...details } })
  const gateway = createGateway({
    providers: [{ type: 'demo' }],
    pools: { 'user:*': { tokens: 1_000_000 } },
    clock: clock.now,
    onEvent: (event) => void events.push(event),
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    ...options,
  })
  const served = await serve(toNodeHandler(gateway, { identify: who }))
  onTestFinished(async () => {
    await served.close()
    await gateway.close({ timeoutMs: 0 })
  })
  const send: Door['send'] = (method, path, sending) => request(`${served.url}${path}`, method, sending)
  return {
    gateway,
    url: served.url,
    clock,
    events,
    logged,
    send,
    get: (path, sending) => send('GET', path, sending),
    post: (path, body, sending) => send('POST', path, { ...sending, body: JSON.stringify(body) }),
  }
}

/** One request and its whole answer. */
export async function request(
  url: string,
  method: string,
  { as = 'alice', headers, body }: Sending & { body?: string } = {},
): Promise<Reply> {
  const reply = await fetch(url, {
    method,
    headers: {
      ...(as === 'nobody' ? {} : { authorization: `Bearer ${people[as].token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  })
  const text = await reply.text()
  return { status: reply.status, headers: reply.headers, text, body: jsonOf(text) }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A scripted provider for one test. */
export async function upstream(options: ScriptedProviderOptions = {}): Promise<ScriptedProvider> {
  const provider = await scriptedProvider(options)
  onTestFinished(() => {
    provider.release()
    return provider.close()
  })
  return provider
}

/** A port on which nobody listens. */
export async function deadUrl(): Promise<string> {
  const provider = await scriptedProvider()
  await provider.close()
  return provider.url
}

/** A chat request of few words. */
export const chatOf = (model: string, more: Record<string, unknown> = {}) => ({
  model,
  messages: [{ role: 'user' as const, content: 'Say something about the sea.' }],
  ...more,
})

/** Asks for a chat answer. */
export const chat = (to: Door, model: string, more: Record<string, unknown> = {}, sending?: Sending): Promise<Reply> =>
  to.post('/v1/chat/completions', chatOf(model, more), sending)

/** The route that answers a model, or the code of the error. */
export async function routeFor(to: Door, model: string, more?: Record<string, unknown>, sending?: Sending) {
  return whoAnswered(await chat(to, model, more, sending))
}

export function whoAnswered({ status, headers, body }: Reply): string {
  return status === 200 ? headers.get('x-hoosh-route')! : errorOf({ body }).code
}

/** The error of an answer that is one. */
export function errorOf({ body }: Pick<Reply, 'body'>): {
  message: string
  type: string
  param: string | null
  code: string
} {
  return (body as { error: { message: string; type: string; param: string | null; code: string } }).error
}
