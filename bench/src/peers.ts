/** What is measured of each server; times are CPU time of its process unless they say otherwise. */
export const FIGURES = {
  plain1k: { title: 'CPU per plain call, 1 KB', unit: 'us', compare: 'ratio' },
  plain20k: { title: 'CPU per plain call, 20 KB', unit: 'us', compare: 'ratio' },
  event: { title: 'CPU per streamed event', unit: 'us', compare: 'ratio' },
  stream: { title: 'Memory per slow stream, both sockets included', unit: 'KB', compare: 'added' },
  firstByteP50: { title: 'Time to first byte at low load, p50', unit: 'ms', compare: 'added' },
  firstByteP99: { title: 'Time to first byte at low load, p99', unit: 'ms', compare: 'added' },
} as const

export type FigureName = keyof typeof FIGURES

/** Most that a server may need, as its figure is compared: a ratio to its peer, or what it adds. */
export interface Limit {
  /** A change that breaks it does not go in. */
  readonly gate?: number
  /** What we want to reach. */
  readonly goal?: number
}

export interface Peer {
  readonly name: string
  readonly title: string
  /** Of `servers/`. */
  readonly module: string
  /** Name of the peer it is compared with: the bare passthrough unless said. */
  readonly against?: string
  readonly limits?: Partial<Record<FigureName, Limit>>
}

export const BASELINE = 'passthrough'

const light = { stream: { goal: 16 }, firstByteP50: { goal: 0.3 }, firstByteP99: { goal: 2 } }

const mounted = { plain1k: { gate: 1.9, goal: 1.5 }, plain20k: { gate: 1.5, goal: 1.25 } }

const byHand = (goal: number) => ({ plain1k: { goal }, plain20k: { goal }, event: { goal } })

export const PEERS: readonly Peer[] = [
  { name: BASELINE, title: 'bare passthrough', module: 'passthrough' },
  { name: 'express', title: 'Express 5 + json + undici', module: 'express-json' },
  { name: 'openai-sdk', title: 'Express + openai SDK', module: 'openai-sdk' },
  { name: 'ai-sdk', title: 'Express + AI SDK', module: 'ai-sdk' },
  {
    name: 'node',
    title: 'hoosh, node mount',
    module: 'hoosh-node',
    limits: { ...mounted, event: { goal: 1.15 }, ...light },
  },
  {
    name: 'anthropic',
    title: 'hoosh, node mount, translated',
    module: 'hoosh-anthropic',
    limits: { event: { goal: 2 } },
  },
  { name: 'scarce', title: 'hoosh, node mount, scarce pools', module: 'hoosh-scarce', limits: mounted },
  {
    name: 'express-mount',
    title: 'hoosh, Express mount',
    module: 'hoosh-express',
    against: 'express',
    limits: byHand(1.15),
  },
  { name: 'koa', title: 'Koa 3 + bodyparser + undici', module: 'koa-json' },
  { name: 'koa-mount', title: 'hoosh, Koa mount', module: 'hoosh-koa', against: 'koa', limits: byHand(1.15) },
  { name: 'hono', title: 'Hono + json + undici', module: 'hono-json' },
  {
    name: 'fetch-mount',
    title: 'hoosh, fetch mount in Hono',
    module: 'hoosh-hono',
    against: 'hono',
    limits: byHand(1.3),
  },
  { name: 'next', title: 'Next 16 route handler + undici', module: 'next-undici' },
  {
    name: 'next-mount',
    title: 'hoosh, Next 16 mount',
    module: 'hoosh-next',
    against: 'next',
    limits: byHand(1.3),
  },
  {
    name: 'sqlite',
    title: 'hoosh, node mount on SQLite',
    module: 'hoosh-sqlite',
    limits: { plain1k: { gate: 2.5, goal: 2 }, plain20k: { gate: 2.5, goal: 2 } },
  },
]
