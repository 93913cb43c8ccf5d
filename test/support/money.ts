import type { IncomingMessage } from 'node:http'
import { createGateway, type Gateway, type HooshEvent, type HooshOptions, type PoolSnapshot } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { type BudgetStore, memoryBudgets, type Storage, type UsageRecord, type UsageStore } from '@hoosh/core/storage'
import { type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { memoryUsage } from '../../packages/core/src/cost/memory-store.js'
import { type Served, serve } from './mounts.js'
import { hasPostgres, postgresSchema } from './postgres.js'
import { redisLedger, redisMissing } from './redis.js'
import { sqliteFile } from './sqlite.js'

/** Where money is kept, with a way to look at what was kept. */
export interface Vault {
  readonly storage: Partial<Storage> & { budgets: BudgetStore }
  /** Usage records, in the order they were written. */
  records(): UsageRecord[]
  remove(): Promise<void>
}

export interface StoreKind {
  readonly name: string
  /** @param clock of leases and windows; the same as the gateway's */
  open(clock?: () => number): Promise<Vault>
}

/** Usage in memory, and what was written of it. */
function keptUsage() {
  const usage = memoryUsage()
  const kept: UsageRecord[] = []
  const record: UsageStore['record'] = (records) => {
    kept.push(...records)
    return usage.record(records)
  }
  return { usage: { ...usage, record }, records: () => kept }
}

export const MEMORY: StoreKind = {
  name: 'memory',
  async open(clock = Date.now) {
    const { usage, records } = keptUsage()
    return { storage: { budgets: memoryBudgets({ clock }), usage }, records, remove: async () => {} }
  },
}

const SQLITE: StoreKind = {
  name: 'SQLite',
  async open(clock = Date.now) {
    const sqlite = sqliteFile({ clock })
    const storage = await sqlite.open()
    return {
      storage,
      records: () =>
        sqlite
          .read<{ record: string }>('select record from hoosh_usage order by rowid')
          .map(({ record }) => JSON.parse(record)),
      remove: () => sqlite.remove(),
    }
  },
}

const REDIS: StoreKind = {
  name: 'Redis',
  async open(clock = Date.now) {
    const ledger = redisLedger({ clock })
    const { usage, records } = keptUsage()
    return { storage: { ...(await ledger.open()), usage }, records, remove: () => ledger.remove() }
  },
}

/** What it keeps of usage is read with `get('/v1/costs')`. */
const POSTGRES: StoreKind = {
  name: 'PostgreSQL',
  async open(clock) {
    const place = postgresSchema({ ...(clock !== undefined && { clock }) })
    return { storage: await place.open(), records: () => [], remove: () => place.remove() }
  },
}

/** For suites that run on each. */
export const STORES: readonly StoreKind[] = [MEMORY, SQLITE, ...((await redisMissing()) === null ? [REDIS] : [])]

/** Those that keep usage and audit records in the steps of the ledger. */
export const JOINT_STORES: readonly StoreKind[] = [SQLITE, ...(hasPostgres ? [POSTGRES] : [])]

export const ALL_STORES: readonly StoreKind[] = [...STORES, ...(hasPostgres ? [POSTGRES] : [])]

/** Round figures: nano-USD are 2,500 an input token and 10,000 an output token. */
export const PRICES = { '*': { input: '2.50', output: '10' } }

export const nanoUsdOf = (promptTokens: number, completionTokens: number) =>
  promptTokens * 2_500 + completionTokens * 10_000

/** What a provider's bill comes to at those prices. */
export const billed = ({ promptTokens, completionTokens }: { promptTokens: number; completionTokens: number }) => ({
  tokens: promptTokens + completionTokens,
  nanoUsd: nanoUsdOf(promptTokens, completionTokens),
})

export interface CallAs {
  readonly signal?: AbortSignal
  /** Below `/v1/`; chat by default. */
  readonly path?: string
  /** `alice` by default. */
  readonly user?: string
  /** `user:alice` by default. */
  readonly pools?: readonly string[]
  readonly requestId?: string
  /** The `Idempotency-Key`. */
  readonly key?: string
}

/** A gateway before a provider that knows its true bill. */
export interface Till {
  readonly provider: ScriptedProvider
  readonly gateway: Gateway
  readonly vault: Vault
  readonly url: string
  readonly events: readonly HooshEvent[]
  call(body: Record<string, unknown>, as?: CallAs): Promise<Response>
  /** Reads a path of the gateway as an admin. */
  get<Body>(path: string): Promise<Body>
  /** A pool as its owner sees it; `user:alice` by default. */
  pool(name?: string): Promise<PoolSnapshot>
  /** The same, once nothing is held in it any more. */
  settled(name?: string): Promise<PoolSnapshot>
  close(): Promise<void>
}

/** Who calls, and which pools pay, as the test says in two headers. */
export const identify = ({ headers }: IncomingMessage) => ({
  user: String(headers['x-user'] ?? 'alice'),
  pool: String(headers['x-pools'] ?? 'user:alice').split(','),
  roles: headers['x-user'] === 'root' ? ['admin'] : [],
})

export const headersOf = ({ user = 'alice', pools, requestId, key }: CallAs = {}): Record<string, string> => ({
  'content-type': 'application/json',
  'x-user': user,
  ...(pools !== undefined && { 'x-pools': pools.join(',') }),
  ...(requestId !== undefined && { 'x-request-id': requestId }),
  ...(key !== undefined && { 'idempotency-key': key }),
})

/** @param options prices are those of above unless said; `storage` wraps what the kind opens */
export async function till(
  kind: StoreKind,
  options: Omit<HooshOptions, 'storage'> & { storage?: (opened: Vault['storage']) => Partial<Storage> } = {},
): Promise<Till> {
  const provider = await scriptedProvider()
  const vault = await kind.open(options.clock)
  const events: HooshEvent[] = []
  const { storage = (opened: Vault['storage']) => opened, ...more } = options
  const gateway = createGateway({
    providers: [{ type: 'openai', baseUrl: provider.url }],
    prices: PRICES,
    storage: storage(vault.storage),
    migrate: true,
    logger: false,
    onEvent: (event) => void events.push(event),
    ...more,
  })
  const served: Served = await serve(toNodeHandler(gateway, { identify }))
  const pool = async (name = 'user:alice') => (await gateway.as({ user: 'alice', pool: name }).budget.pools())[0]!
  return {
    provider,
    gateway,
    vault,
    url: served.url,
    events,
    call: (body, as = {}) =>
      fetch(`${served.url}/v1/${as.path ?? 'chat/completions'}`, {
        method: 'POST',
        headers: headersOf(as),
        body: JSON.stringify(body),
        ...(as.signal && { signal: as.signal }),
      }),
    get: async (path) =>
      (await fetch(`${served.url}${path}`, { headers: headersOf({ user: 'root' }) })).json() as never,
    pool,
    async settled(name) {
      await until(async () => (await pool(name)).held.tokens === 0)
      return pool(name)
    },
    async close() {
      provider.release()
      await served.close()
      await gateway.close({ timeoutMs: 0 })
      await provider.close()
      await vault.remove()
    },
  }
}

/** Looks again until it holds, or for so long that the assertion after it may fail. */
export async function until(holds: () => boolean | Promise<boolean>, tries = 500): Promise<void> {
  for (let left = tries; left > 0 && !(await holds()); left -= 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
}

export const ask = (more: Record<string, unknown> = {}) => ({
  model: 'gpt-4o',
  messages: [{ role: 'user', content: 'Say something about the sea.' }],
  ...more,
})

/** Of the prompt of `ask`: what the provider bills, what the tokenizer counts and the template adds, and its bytes. */
export const PROMPT = { billed: 7, counted: 6 + 12, bytes: 28 + 12 }
