import { HooshError } from '../errors.js'
import type {
  ApiKey,
  AuditOptions,
  BudgetOptions,
  Deadlines,
  HooshOptions,
  KeyOptions,
  MetricsOptions,
  ProviderOptions,
  TlsOptions,
} from '../options.js'
import type { Clock } from '../time.js'
import { type Environment, environmentProviders, expanded } from './environment.js'
import { localServers } from './local-servers.js'

export { checkOptions } from './options-schema.js'

export type BudgetSettings = Required<BudgetOptions>

/** The options with their defaults, secrets read from the environment. */
export interface Settings {
  readonly providers: readonly ProviderOptions[]
  readonly routing: NonNullable<HooshOptions['routing']>
  /** Requests to providers that one call may cause. */
  readonly maxAttempts: number
  readonly pools: HooshOptions['pools']
  readonly budget: BudgetSettings
  readonly audit: false | (AuditOptions & { mode: 'strict' | 'buffered' })
  readonly prices: NonNullable<HooshOptions['prices']>
  readonly storage: HooshOptions['storage']
  readonly deadlines: Required<Omit<Deadlines, 'totalMs'>> & Pick<Deadlines, 'totalMs'>
  readonly metrics: MetricsOptions
  readonly keys: KeyOptions
  readonly hooks: HooshOptions['hooks']
  readonly onEvent: HooshOptions['onEvent']
  /** As the host said it; `loggerOf` makes the logger. */
  readonly logger: HooshOptions['logger']
  readonly clock: Clock
  readonly migrate: boolean
  readonly dev: boolean
}

const LEASE_MS = 60_000
const RENEW_MS = 20_000

/**
 * What a gateway starts with: checked options with their defaults filled in and `$NAME` read.
 *
 * Without `providers` there is one for each key of the environment, and with `HOOSH_LOCAL=auto` for each model server of
 * this machine; with none of these the demo provider answers.
 *
 * @throws HooshError `invalid_options` that names a variable which is not set
 */
export async function settingsFrom(
  options: HooshOptions,
  environment: Environment,
  get: typeof fetch = fetch,
): Promise<Settings> {
  const { audit = {}, metrics = {} } = options
  return {
    providers: options.providers?.map(readKey(environment)) ?? (await foundProviders(environment, get)),
    routing: options.routing ?? {},
    maxAttempts: options.routing?.maxAttempts ?? 3,
    pools: options.pools,
    budget: budgetSettings(options.budget ?? {}),
    audit:
      audit === false
        ? false
        : { mode: 'buffered', ...given(audit), ...secret('key', audit.key, 'audit.key', environment) },
    prices: options.prices ?? {},
    storage: options.storage,
    deadlines: {
      connectMs: 10_000,
      firstByteMs: 60_000,
      plainMs: 600_000,
      idleMs: 60_000,
      queueMs: 30_000,
      ...given(options.deadlines),
    },
    metrics: { ...metrics, ...secret('token', metrics.token, 'metrics.token', environment) },
    keys: keySettings(options.keys, environment),
    hooks: options.hooks,
    onEvent: options.onEvent,
    logger: options.logger,
    clock: options.clock ?? Date.now,
    migrate: options.migrate ?? false,
    dev: options.dev ?? false,
  }
}

async function foundProviders(environment: Environment, get: typeof fetch): Promise<ProviderOptions[]> {
  const found = [...environmentProviders(environment), ...(await localServers(environment, get))]
  return found.length > 0 ? found : [{ type: 'demo' }]
}

/** A provider that is off needs no key. */
function readKey(environment: Environment): (provider: ProviderOptions, index: number) => ProviderOptions {
  return (provider, index) => {
    if (provider.enabled === false) return provider
    const at = `providers[${index}]`
    const read = (key: ApiKey, option: string) => (typeof key === 'string' ? expanded(key, option, environment) : key)
    const { apiKey, apiKeys, tls } = provider
    return {
      ...provider,
      ...(apiKey === undefined ? {} : { apiKey: read(apiKey, `${at}.apiKey`) }),
      ...(tls === undefined ? {} : { tls: readTls(tls, at, environment) }),
      ...(apiKeys === undefined ? {} : { apiKeys: apiKeys.map((key, nth) => read(key, `${at}.apiKeys[${nth}]`)) }),
    }
  }
}

function readTls(tls: TlsOptions, at: string, environment: Environment): TlsOptions {
  return Object.fromEntries(
    Object.entries(given(tls)).map(([name, value]) => [name, expanded(value, `${at}.tls.${name}`, environment)]),
  )
}

function secret<Name extends string>(name: Name, value: string | undefined, option: string, environment: Environment) {
  return (value === undefined ? {} : { [name]: expanded(value, option, environment) }) as { [Key in Name]?: string }
}

/** Shortest secret that tokens are signed with: 32 characters of hex are 128 bits. */
const SHORTEST_SECRET = 32

function keySettings(keys: KeyOptions = {}, environment: Environment): KeyOptions {
  const tokenSecrets = keys.tokenSecrets?.map((secret, nth) => {
    const text = expanded(secret, `keys.tokenSecrets[${nth}]`, environment)
    if (text.length >= SHORTEST_SECRET) return text
    throw new HooshError('invalid_options', {
      message: `keys.tokenSecrets[${nth}] has fewer than ${SHORTEST_SECRET} characters; take what \`openssl rand -hex 32\` prints.`,
    })
  })
  return { ...keys, ...(tokenSecrets !== undefined && { tokenSecrets }) }
}

function budgetSettings(budget: BudgetOptions): BudgetSettings {
  const { leaseMs = LEASE_MS } = budget
  return {
    enforcement: 'hard',
    leaseMs,
    // A shorter lease is renewed more often, so that two renewals may fail before it ends.
    renewMs: Math.max(1, Math.min(RENEW_MS, Math.floor(leaseMs / 3))),
    sweepMs: 15_000,
    onExpire: 'charge',
    defaultOutput: 1_024,
    minOutput: 16,
    ...given(budget),
  }
}

/** Without the fields that say `undefined`, which would hide a default. */
function given<Fields extends object>(fields: Fields | undefined): Fields {
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([, value]) => value !== undefined)) as Fields
}
