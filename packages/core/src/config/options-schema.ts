import { z } from 'zod'
import { nanoUsdOf } from '../amount.js'
import type {
  AuditOptions,
  BudgetOptions,
  Deadlines,
  DlpLevel,
  DlpOptions,
  DlpPattern,
  DlpRuling,
  Hooks,
  HooshOptions,
  KeyOptions,
  LimitOptions,
  Limits,
  MetricsOptions,
  ModelLimits,
  PayloadOptions,
  PoolSpec,
  PriceSpec,
  ProviderOptions,
  RoutingOptions,
  SliceSpec,
  TlsOptions,
} from '../options.js'
import { checkShape } from './check.js'
import { by, type Every, fields, flag, fn, list, oneOf, text, unless, whole, withMethods } from './option-kinds.js'
import { PROVIDER_TYPES } from './provider-catalog.js'
import { isSigningKey } from './signing-key.js'
import { storage } from './storage-schema.js'

/** Largest cap of a pool, in tokens. */
const LARGEST_CAP = 2 ** 52
/** Longest time that a timer can run. */
const LONGEST_MS = 2 ** 31 - 1

/**
 * Checks the options' shape: nothing is read, opened or expanded.
 *
 * @throws HooshError `invalid_options`: every fault by the option's name, with what it has to be
 */
export function checkOptions(options: unknown): asserts options is HooshOptions {
  checkShape(optionsSchema, options, 'The options object')
}

/**
 * The same of what a mount is given: the options of its own gateway, undefined where it shares one or has none, and
 * settings of the mount, all of them functions.
 *
 * @param known names of the settings that this kind of mount has
 * @throws HooshError `invalid_options`
 */
export function checkMountOptions(options: unknown, settings: unknown, known: readonly string[]): void {
  if (options !== undefined) checkShape(mountOptionsSchema, options, 'The options object')
  const shape = Object.fromEntries(known.map((name) => [name, fn.optional()]))
  checkShape(fields(shape), settings, "The mount's second argument")
}

const ms = whole(1, LONGEST_MS, ' of milliseconds')
const count = whole(0, Number.MAX_SAFE_INTEGER)

const usd = (value: unknown) => (typeof value === 'number' || typeof value === 'string') && nanoUsdOf(value) !== null
const decimal = z.custom(
  (value) => typeof value === 'string' && usd(value),
  'has to be USD per million tokens as a decimal string with up to nine decimals, such as "2.50"',
)

const apiKey = z.custom(
  (value) => typeof value === 'function' || (typeof value === 'string' && value !== ''),
  'has to be a string that is not empty, or a function that gives one',
)

/** Node and the web's Headers both refuse what is beyond: a call would be paid for, and its answer lost. */
const headerText = text.regex(/^[ -~]*$/, 'has to be of ASCII letters, digits and signs: it is sent in a header')

const provider = fields({
  type: oneOf(...PROVIDER_TYPES),
  name: headerText.optional(),
  baseUrl: text.optional(),
  apiKey: apiKey.optional(),
  apiKeys: list(apiKey).min(1, 'has to name a key').optional(),
  models: list(text).optional(),
  priority: whole(0, 1_000_000).optional(),
  rpm: count.optional(),
  tpm: count.optional(),
  concurrency: whole(1, 1_000_000).optional(),
  hedge: fields({ afterMs: ms } satisfies Every<ProviderOptions['hedge']>).optional(),
  maxTokens: whole(1, LARGEST_CAP).optional(),
  enabled: flag.optional(),
  local: flag.optional(),
  headers: by(z.string('has to be a string')).optional(),
  query: by(z.string('has to be a string')).optional(),
  privateNetwork: flag.optional(),
  tls: fields({
    ca: text.optional(),
    cert: text.optional(),
    key: text.optional(),
  } satisfies Every<TlsOptions>).optional(),
  fallbacks: list(text).optional(),
  sdk: z
    .custom(
      (value) => (typeof value === 'object' && value !== null) || typeof value === 'function',
      'has to be a provider or a model of the AI SDK',
    )
    .optional(),
} satisfies Every<ProviderOptions>).refine(
  ({ apiKey: one, apiKeys: many }) => one === undefined || many === undefined,
  'has both apiKey and apiKeys; leave one of them out',
)

const providers = list(provider).superRefine((configured, context) => {
  const names = new Set<string>()
  configured.forEach(({ type, name = type }, index) => {
    if (names.has(name)) {
      const message = `is the second provider with the name "${name}"; give it another \`name\``
      context.addIssue({ code: 'custom', path: [index], message })
    }
    names.add(name)
  })
})

const limits = fields({
  requestsPerMinute: count.optional(),
  tokensPerMinute: count.optional(),
  concurrent: count.optional(),
  weight: whole(1, 1_000).optional(),
} satisfies Every<Limits>)

const window = z.union(
  [z.null(), z.enum(['hour', 'day', 'week', 'month']), z.strictObject({ everyMs: whole(1, Number.MAX_SAFE_INTEGER) })],
  "has to be 'hour', 'day', 'week', 'month', { everyMs } or null for a lifetime",
)

const poolSpec = fields({
  tokens: whole(0, LARGEST_CAP).optional(),
  usd: z
    .custom(usd, 'has to be USD as a number or a decimal string, not negative, with up to nine decimals')
    .optional(),
  window: window.optional(),
  timeZone: text.optional(),
  limits: limits.optional(),
  unpriced: oneOf('refuse', 'allow').optional(),
  frozen: flag.optional(),
} satisfies Every<PoolSpec>)

const budget = fields({
  enforcement: oneOf('hard', 'soft').optional(),
  leaseMs: ms.optional(),
  renewMs: ms.optional(),
  sweepMs: ms.optional(),
  onExpire: oneOf('charge', 'counted').optional(),
  defaultOutput: whole(1, LARGEST_CAP).optional(),
  minOutput: whole(1, LARGEST_CAP).optional(),
  slices: fields({ pools: list(text) } satisfies Every<SliceSpec>).optional(),
  cheaper: by(text).optional(),
} satisfies Every<BudgetOptions>).refine(
  ({ leaseMs = 60_000, renewMs = 0 }) => renewMs < leaseMs,
  'has a renewMs that is not below its leaseMs; renew a lease about three times before it ends',
)

/** Text is looked at when the gateway starts: what it names may not be set while a build runs. */
const signingKey = z.custom(
  (value) => (typeof value === 'string' && value !== '') || isSigningKey(value),
  'has to be an Ed25519 private key, as PEM text or a KeyObject',
)

const audit = fields({
  key: text.optional(),
  signingKey: signingKey.optional(),
  checkpointEvery: fields({ entries: whole(1, 1_000_000).optional(), ms: ms.optional() } satisfies Every<
    AuditOptions['checkpointEvery']
  >).optional(),
  onCheckpoint: fn.optional(),
  payloads: unless(
    (value) => value === false,
    fields({
      key: text,
      otherKeys: list(text).optional(),
      maxBytes: whole(1, 4 * 1_024 * 1_024, ' of bytes').optional(),
      keepMs: whole(1, Number.MAX_SAFE_INTEGER, ' of milliseconds').optional(),
    } satisfies Every<PayloadOptions>),
  ),
  retention: fields({
    keepMs: whole(1, Number.MAX_SAFE_INTEGER, ' of milliseconds'),
    segmentEntries: whole(1, 100_000).optional(),
    archive: fn,
  } satisfies Every<AuditOptions['retention']>).optional(),
  mode: oneOf('strict', 'buffered').optional(),
  chain: oneOf('process', 'shared').optional(),
  node: text.optional(),
  maxEntries: whole(1, 100_000_000).optional(),
} satisfies Every<AuditOptions>)

const origin = z.custom(
  (value) => value === '*' || (typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value),
  'has to be an origin such as "https://app.example.org", without path or slash at its end, or "*"',
)

const level = oneOf('public', 'internal', 'confidential', 'restricted')
const action = oneOf('allow', 'localOnly', 'redact', 'pseudonymise', 'block')
const ruling = fields({ level: level.optional(), action: action.optional() } satisfies Every<DlpRuling>)
const patternName = z
  .string('has to be a string')
  .regex(/^[A-Za-z]\w{0,39}$/, 'has to be 1 to 40 letters, digits and underscores, a letter first')

const dlp = fields({
  actions: fields({
    public: action.optional(),
    internal: action.optional(),
    confidential: action.optional(),
    restricted: action.optional(),
  } satisfies Every<Record<DlpLevel, unknown>>).optional(),
  defaultLevel: level.optional(),
  patterns: list(
    fields({
      name: patternName,
      pattern: z.custom(
        (value) => value instanceof RegExp || (typeof value === 'string' && value !== ''),
        'has to be a regular expression, or its source as a string',
      ),
      level: level.optional(),
      action: action.optional(),
    } satisfies Every<DlpPattern>),
  ).optional(),
  builtIn: by(unless((value) => value === false, ruling)).optional(),
  classify: fn.optional(),
  answers: flag.optional(),
} satisfies Every<DlpOptions>)

const OPTIONS = {
  providers: providers.optional(),
  routing: fields({
    strategy: oneOf('priority', 'round-robin', 'lowest-latency', 'direct', 'round_robin', 'lowest_latency').optional(),
    aliases: by(z.union([text, list(text)], 'has to be a model, or an array of models')).optional(),
    fallbacks: by(list(text)).optional(),
    maxAttempts: whole(1, 100).optional(),
    probeEveryMs: ms.optional(),
  } satisfies Every<RoutingOptions>).optional(),
  pools: unless((value) => typeof value === 'function', by(poolSpec)),
  budget: budget.optional(),
  audit: unless((value) => value === false, audit),
  limits: fields({
    models: by(
      fields({
        requestsPerMinute: count.optional(),
        tokensPerMinute: count.optional(),
        concurrent: count.optional(),
        per: oneOf('everybody', 'user').optional(),
      } satisfies Every<ModelLimits>),
    ).optional(),
    failedAuthPerMinute: whole(1, 1_000_000).optional(),
  } satisfies Every<LimitOptions>).optional(),
  keys: fields({
    selfService: flag.optional(),
    perUser: whole(1, 100_000).optional(),
    longestMs: whole(1_000, Number.MAX_SAFE_INTEGER, ' of milliseconds').optional(),
    tokenSecrets: list(text).optional(),
  } satisfies Every<KeyOptions>).optional(),
  dlp: dlp.optional(),
  prices: by(
    fields({ input: decimal, output: decimal, cached: decimal.optional() } satisfies Every<PriceSpec>),
  ).optional(),
  storage: storage.optional(),
  basePath: z
    .string('has to be a string')
    .regex(/^(\/[^?#]*)?$/, 'has to begin with a slash, such as "/ai"')
    .optional(),
  rootRoutes: flag.optional(),
  cors: fields({ origins: list(origin) } satisfies Every<HooshOptions['cors']>).optional(),
  maxBodyBytes: whole(1, Number.MAX_SAFE_INTEGER, ' of bytes').optional(),
  deadlines: fields({
    connectMs: ms.optional(),
    firstByteMs: ms.optional(),
    plainMs: ms.optional(),
    idleMs: ms.optional(),
    queueMs: ms.optional(),
    totalMs: ms.optional(),
  } satisfies Every<Deadlines>).optional(),
  metrics: fields({
    registry: withMethods("prom-client's Registry", 'registerMetric', 'getSingleMetric', 'metrics').optional(),
    token: text.optional(),
  } satisfies Every<MetricsOptions>).optional(),
  hooks: fields({
    beforeCall: fn.optional(),
    afterCall: fn.optional(),
    onChunk: fn.optional(),
    onError: fn.optional(),
  } satisfies Every<Hooks>).optional(),
  onEvent: fn.optional(),
  logger: unless(
    (value) => value === false,
    withMethods('false, or an object with debug, info, warn and error', 'debug', 'info', 'warn', 'error'),
  ),
  clock: fn.optional(),
  random: fn.optional(),
  migrate: flag.optional(),
  dev: flag.optional(),
} satisfies Every<HooshOptions>

const optionsSchema = fields(OPTIONS)
const mountOptionsSchema = fields({ ...OPTIONS, identify: fn.optional() })
