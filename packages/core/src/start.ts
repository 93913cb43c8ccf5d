import { randomBytes } from 'node:crypto'
import { type AuditLog, type AuditLogOptions, createAuditLog } from './audit/log.js'
import { memoryPayloads } from './audit/memory-payloads.js'
import { memoryAudit } from './audit/memory-store.js'
import { createPayloadVault, type PayloadVault, type VaultOptions } from './audit/payload-vault.js'
import { memoryRates } from './budget/memory-rates.js'
import { memoryBudgets } from './budget/memory-store.js'
import { poolBook } from './budget/pool-book.js'
import { poolTemplates } from './budget/pools.js'
import { type Slices, slicedBudgets } from './budget/slices/sliced-store.js'
import { memoryCache } from './cache/memory-store.js'
import { sweep, windUp } from './clockwork.js'
import { type Settings, settingsFrom } from './config/settings.js'
import { outputCounter } from './context/output-count.js'
import { tokenFacts } from './context/token-facts.js'
import { memoryUsage } from './cost/memory-store.js'
import { priceBook } from './cost/prices.js'
import type { Policy } from './dlp/policy.js'
import { HooshError, shuttingDown } from './errors.js'
import { tokenSigner } from './identity/browser-token.js'
import { memoryKeys } from './identity/memory-store.js'
import { bearerTokens } from './identity/resolvers.js'
import { cheaperModels } from './inference/cheaper.js'
import type { Engine } from './inference/engine.js'
import { keyedCalls } from './inference/keyed/keyed-calls.js'
import { callLimits } from './inference/limits.js'
import { modelLimits } from './inference/model-limits.js'
import { tellOfSlice } from './inference/pool-events.js'
import { runningCalls } from './inference/running.js'
import { openRuns } from './inference/runs.js'
import { settleRetries } from './inference/settle-retries.js'
import { eventBus } from './observability/events.js'
import { loggerOf } from './observability/logger.js'
import { metricsOn } from './observability/metrics.js'
import type { HooshOptions } from './options.js'
import { createProvider } from './providers/create.js'
import { chanceFrom } from './random.js'
import { modelLister } from './routing/model-list.js'
import { retryBudget } from './routing/retry-budget.js'
import { type Route, routeOf } from './routing/route.js'
import { createRouter } from './routing/router.js'
import { createWarmth } from './routing/warmth.js'
import { revealed } from './secret.js'
import { sayHello } from './startup-line.js'
import type { Storage } from './storage/storage.js'

/** How long the log of a start that failed has to be ended, ms: what was stored of it is linked by the next start. */
const GIVE_UP_MS = 250

/** A gateway that runs: its engine and its clockwork. */
export interface Started {
  readonly engine: Engine
  close(timeoutMs: number): Promise<void>
}

/** What a gateway has made before it starts. */
interface StartParts {
  readonly node: string
  readonly ids: () => string
  readonly dlp: Policy | null
  /** What its mounts have noted. */
  readonly mounts: ReadonlySet<string | null>
}

/**
 * Opens the storage, reads the secrets and winds the clockwork up.
 *
 * @throws HooshError `invalid_options` (an unset variable, two routes of a name), `not_ready`, `store_unavailable`
 */
export async function start(options: HooshOptions, { node, ids, dlp, mounts }: StartParts): Promise<Started> {
  const settings = await settingsFrom(options, process.env)
  const { clock } = settings
  const { leaseMs } = settings.budget
  const tokenSecrets = settings.keys.tokenSecrets?.map(revealed)
  const logger = loggerOf(settings.logger)
  const events = eventBus({ onEvent: settings.onEvent, logger })
  const opened = await openStorage(settings)
  const slices = slicesOf(settings, opened, { events, ids, logger })
  const storage = slices === null ? opened : { ...opened, budgets: slices.budgets }
  const routes = routesOf(settings)
  const router = createRouter(routes, settings.routing)
  const metrics = metricsOn({ registry: settings.metrics.registry, models: routes.flatMap(({ models }) => models) })
  metrics.providersConfigured(routes.length)
  const audit = auditOf(settings, { store: storage.audit, node, clock, ids, logger })
  const vault = vaultOf(settings, { store: storage.payloads, clock, ids, logger })
  const retries = settleRetries(logger)
  const engine: Engine = {
    settings,
    router,
    pools: poolBook(poolTemplates(settings.pools), storage.budgets),
    runs: openRuns(),
    storage,
    prices: priceBook({ overrides: settings.prices, clock }),
    dlp,
    audit,
    vault,
    metrics,
    events,
    logger,
    running: runningCalls({ leaseMs, clock }),
    limits: callLimits({
      rates: storage.rates,
      clock,
      leaseMs,
      logger,
      refused: (key) => events.emit({ type: 'rate.limited', key }),
    }),
    modelLimits: modelLimits(settings.limits.models),
    cheaper: cheaperModels(settings.budget.cheaper),
    retries,
    keyed: keyedCalls({ cache: storage.cache, budgets: storage.budgets, clock, ids, leaseMs, audit, logger, retries }),
    retryBudget: retryBudget(),
    warmth: /robin|latency/.test(settings.routing.strategy ?? '') ? createWarmth(clock) : null,
    chance: chanceFrom(options.random),
    random: options.random ?? randomBytes,
    tokens: isSome(tokenSecrets) ? tokenSigner(tokenSecrets) : null,
    clock,
    ids,
    listModels: modelLister(router, clock),
    outputCounter: (model, route) => outputCounter(tokenFacts(route, model).family),
    mayScrape: scraper(settings.metrics.token?.reveal()),
  }
  await begin(engine)
  const stop = windUp(engine, slices)
  sayHello(engine, mounts)
  return { engine, close: (timeoutMs) => close(engine, routes, { stop, slices }, timeoutMs) }
}

async function begin(engine: Engine): Promise<void> {
  const { pools, vault, audit } = engine
  await pools.refresh()
  await vault?.start()
  try {
    await audit?.start()
    await sweep(engine)
  } catch (error) {
    // The next start has a log of its own, and this one would go on beside it.
    await audit?.close({ timeoutMs: GIVE_UP_MS }).catch(() => {})
    throw error
  }
}

/** The host's own name for the node wins. */
function auditOf(
  { audit }: Settings,
  parts: Pick<AuditLogOptions, 'store' | 'node' | 'clock' | 'ids' | 'logger'>,
): AuditLog | null {
  if (audit === false) return null
  return createAuditLog({ ...parts, ...withKey(audit), node: audit.node ?? parts.node })
}

function vaultOf(
  { audit }: Settings,
  parts: Pick<VaultOptions, 'store' | 'clock' | 'ids' | 'logger'>,
): PayloadVault | null {
  if (audit === false || audit.payloads === undefined) return null
  const { key, otherKeys, ...limits } = audit.payloads
  return createPayloadVault({ ...parts, ...limits, key: key.reveal(), otherKeys: otherKeys.map(revealed) })
}

async function openStorage(settings: Settings): Promise<Storage> {
  const { clock } = settings
  const given = settings.storage ?? {}
  const storage: Storage = {
    budgets: given.budgets ?? memoryBudgets({ clock }),
    audit: given.audit ?? memoryAudit(settings.audit === false ? {} : { maxEntries: settings.audit.maxEntries }),
    payloads: given.payloads ?? memoryPayloads(),
    usage: given.usage ?? memoryUsage(),
    rates: given.rates ?? memoryRates(),
    keys: given.keys ?? memoryKeys(),
    cache: given.cache ?? memoryCache({ clock }),
    describe: given.describe ?? (given.budgets === undefined ? 'memory' : "the host's own"),
  }
  await given.open?.({ migrate: settings.migrate })
  return {
    ...storage,
    ...(given.sweep === undefined ? {} : { sweep: given.sweep }),
    ...(given.close === undefined ? {} : { close: given.close }),
  }
}

/** Between the engine and the ledger, where hot pools are granted from memory; null where they are not. */
function slicesOf(
  { budget, clock }: Settings,
  { budgets, usage }: Storage,
  { events, ids, logger }: Pick<Engine, 'events' | 'ids' | 'logger'>,
): Slices | null {
  if (budget.slices === undefined) return null
  return slicedBudgets({
    store: budgets,
    usage,
    pools: budget.slices.pools,
    clock,
    leaseMs: budget.leaseMs,
    onExpire: budget.onExpire,
    ids,
    booked: (settlement, charged) => tellOfSlice(events, settlement, charged),
    failed: (err, what) => logger.warn({ err }, what),
  })
}

function isSome(secrets: readonly string[] = []): secrets is readonly [string, ...string[]] {
  return secrets.length > 0
}

function withKey({ key, payloads: _payloads, ...audit }: Exclude<Settings['audit'], false>) {
  return key === undefined ? audit : { ...audit, key: key.reveal() }
}

/** Whether a header carries the token that may read the metrics and nothing else. */
function scraper(token: string | undefined): Engine['mayScrape'] {
  if (token === undefined) return () => false
  const resolve = bearerTokens([{ token, user: 'scraper' }])
  return (authorization) => Boolean(resolve({ headers: { authorization } }))
}

function routesOf(settings: Settings): Route[] {
  const routes = settings.providers.map((options) => {
    const created = createProvider(options, {
      connectMs: settings.deadlines.connectMs,
      clock: settings.clock,
      environment: process.env,
    })
    return routeOf(options, created)
  })
  const names = new Set<string>()
  for (const { name } of routes) {
    if (names.has(name)) {
      throw new HooshError('invalid_options', {
        message: `Two providers are named "${name}". Give one of them another \`name\`.`,
      })
    }
    names.add(name)
  }
  return routes
}

async function close(
  engine: Engine,
  routes: readonly Route[],
  { stop, slices }: { stop: () => Promise<void>; slices: Slices | null },
  timeoutMs: number,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  engine.running.close()
  const keyed = engine.keyed.close()
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([engine.running.idle(), tooLate])
  clearTimeout(timer)
  engine.running.cutAll(shuttingDown())
  await engine.running.idle()
  await keyed
  await stop()
  await engine.retries.close()
  await slices?.close()
  await engine.audit?.close()
  await Promise.all(routes.map((route) => route.provider.close()))
  await engine.storage.close?.()
}
