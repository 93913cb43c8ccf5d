import type { KeyObject } from 'node:crypto'
import { HooshError } from '../errors.js'
import type {
  ApiKey,
  AuditOptions,
  BudgetOptions,
  Deadlines,
  HooshOptions,
  KeyOptions,
  LimitOptions,
  MetricsOptions,
  PayloadOptions,
  ProviderOptions,
  TlsOptions,
} from '../options.js'
import { type Secret, secretOf } from '../secret.js'
import type { Clock } from '../time.js'
import { type Environment, environmentProviders, expanded } from './environment.js'
import { localServers } from './local-servers.js'
import { signingKeyOf } from './signing-key.js'

export { checkMountOptions, checkOptions } from './options-schema.js'

export type BudgetSettings = Required<Omit<BudgetOptions, 'slices'>> & Pick<BudgetOptions, 'slices'>

/** A provider whose secrets nothing prints. */
export interface ProviderSettings extends Omit<ProviderOptions, 'apiKey' | 'apiKeys' | 'headers' | 'query' | 'tls'> {
  readonly apiKey?: KeySource
  readonly apiKeys?: readonly KeySource[]
  readonly headers?: Readonly<Record<string, string | Secret>>
  readonly query?: Readonly<Record<string, string | Secret>>
  readonly tls?: { readonly [Field in keyof TlsOptions]: string | Secret }
}

/** A key, or the host's function that gives it. */
export type KeySource = ApiKey | Secret

type AuditSettings = Omit<AuditOptions, 'key' | 'signingKey' | 'payloads'> & {
  mode: 'strict' | 'buffered'
  key?: Secret
  signingKey?: KeyObject
  payloads?: PayloadSettings
}

interface PayloadSettings extends Omit<Required<PayloadOptions>, 'key' | 'otherKeys'> {
  readonly key: Secret
  readonly otherKeys: readonly Secret[]
}

/** The options with their defaults, secrets read from the environment. */
export interface Settings {
  readonly providers: readonly ProviderSettings[]
  readonly routing: NonNullable<HooshOptions['routing']>
  /** Requests to providers that one call may cause. */
  readonly maxAttempts: number
  readonly pools: HooshOptions['pools']
  readonly budget: BudgetSettings
  readonly audit: false | AuditSettings
  readonly prices: NonNullable<HooshOptions['prices']>
  readonly storage: HooshOptions['storage']
  readonly deadlines: Required<Omit<Deadlines, 'totalMs'>> & Pick<Deadlines, 'totalMs'>
  readonly limits: LimitOptions & { failedAuthPerMinute: number }
  readonly metrics: { readonly registry: MetricsOptions['registry']; readonly token?: Secret }
  readonly keys: Omit<KeyOptions, 'tokenSecrets'> & { readonly tokenSecrets?: readonly Secret[] }
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
  const { audit = {}, metrics: { registry, token } = {} } = options
  return {
    providers: options.providers?.map(readKey(environment)) ?? (await foundProviders(environment, get)),
    routing: options.routing ?? {},
    maxAttempts: options.routing?.maxAttempts ?? 3,
    pools: options.pools,
    budget: budgetSettings(options.budget ?? {}),
    audit: audit === false ? false : auditSettings(audit, environment),
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
    limits: { failedAuthPerMinute: 120, ...given(options.limits) },
    metrics: { registry, ...secret('token', token, 'metrics.token', environment) },
    keys: keySettings(options.keys, environment),
    hooks: options.hooks,
    onEvent: options.onEvent,
    logger: options.logger,
    clock: options.clock ?? Date.now,
    migrate: options.migrate ?? false,
    dev: options.dev ?? false,
  }
}

function auditSettings(
  { key, signingKey, payloads = false, ...audit }: AuditOptions,
  environment: Environment,
): AuditSettings {
  const pem = typeof signingKey === 'string' ? expanded(signingKey, 'audit.signingKey', environment) : signingKey
  const signing = typeof pem === 'string' ? signingKeyOf(pem) : pem
  return {
    mode: 'buffered',
    ...given(audit),
    ...secret('key', key, 'audit.key', environment),
    ...(signing === undefined ? {} : { signingKey: signing }),
    ...(payloads === false ? {} : { payloads: payloadSettings(payloads, environment) }),
  }
}

async function foundProviders(environment: Environment, get: typeof fetch): Promise<ProviderSettings[]> {
  const found = [...environmentProviders(environment), ...(await localServers(environment, get))]
  return found.length > 0 ? found.map((provider) => hidden(provider, (key) => key)) : [{ type: 'demo' }]
}

/** A provider that is off needs no key. */
function readKey(environment: Environment): (provider: ProviderOptions, index: number) => ProviderSettings {
  return (provider, index) =>
    hidden(provider, (key, option) => {
      return provider.enabled === false ? key : expanded(key, `providers[${index}].${option}`, environment)
    })
}

/** Headers and the query are hidden whatever they are called: keys have many names. */
function hidden(
  { apiKey, apiKeys, headers, query, tls, ...provider }: ProviderOptions,
  read: (key: string, option: string) => string,
): ProviderSettings {
  const hide = (key: ApiKey, option: string) => (typeof key === 'string' ? secretOf(read(key, option)) : key)
  return {
    ...provider,
    ...(apiKey !== undefined && { apiKey: hide(apiKey, 'apiKey') }),
    ...(apiKeys !== undefined && { apiKeys: apiKeys.map((key, nth) => hide(key, `apiKeys[${nth}]`)) }),
    ...(headers !== undefined && { headers: eachValue(headers, secretOf) }),
    ...(query !== undefined && { query: eachValue(query, secretOf) }),
    ...(tls !== undefined && { tls: eachValue(given(tls), (pem, name) => secretOf(read(pem, `tls.${name}`))) }),
  }
}

function eachValue<Value>(fields: object, make: (value: string, name: string) => Value): Record<string, Value> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, make(value, name)]))
}

function secret<Name extends string>(name: Name, value: string | undefined, option: string, environment: Environment) {
  return (value === undefined ? {} : { [name]: secretOf(expanded(value, option, environment)) }) as {
    [Key in Name]?: Secret
  }
}

const PAYLOAD_BYTES = 262_144
const PAYLOADS_KEPT_MS = 30 * 86_400_000

function payloadSettings({ key, otherKeys = [], ...payloads }: PayloadOptions, environment: Environment) {
  const read = (text: string, option: string) => longSecret(text, `audit.payloads.${option}`, environment)
  return {
    maxBytes: PAYLOAD_BYTES,
    keepMs: PAYLOADS_KEPT_MS,
    ...given(payloads),
    key: read(key, 'key'),
    otherKeys: otherKeys.map((other, nth) => read(other, `otherKeys[${nth}]`)),
  }
}

/** Shortest secret that something is signed or encrypted with: 32 characters of hex are 128 bits. */
const SHORTEST_SECRET = 32

function longSecret(secret: string, option: string, environment: Environment): Secret {
  const text = expanded(secret, option, environment)
  if (text.length >= SHORTEST_SECRET) return secretOf(text)
  throw new HooshError('invalid_options', {
    message: `${option} has fewer than ${SHORTEST_SECRET} characters; take what \`openssl rand -hex 32\` prints.`,
  })
}

function keySettings({ tokenSecrets: given, ...keys }: KeyOptions = {}, environment: Environment): Settings['keys'] {
  const tokenSecrets = given?.map((secret, nth) => longSecret(secret, `keys.tokenSecrets[${nth}]`, environment))
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
    cheaper: {},
    ...given(budget),
  }
}

/** Without the fields that say `undefined`, which would hide a default. */
function given<Fields extends object>(fields: Fields | undefined): Fields {
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([, value]) => value !== undefined)) as Fields
}
