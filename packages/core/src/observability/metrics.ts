import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What the engine reports to Prometheus. About a microsecond for a call. */
export interface Metrics {
  /** A call that reached a provider has ended. */
  callEnded(call: CallMetrics): void
  /** One try of a route failed; the call may have gone on. */
  attemptFailed(provider: string, model: string, code: string): void
  /** A call was refused before any provider heard of it. */
  refused(code: string): void
  /** Something was found in a request or an answer. */
  dlpFound(where: 'request' | 'answer', pattern: string): void
  streamOpened(): void
  streamClosed(): void
  /** A settle could not be written and will be repeated. */
  settleRetried(): void
  /** How many providers this gateway has; several gateways on one registry add up. */
  providersConfigured(count: number): void
  readonly contentType: string
  /** The whole registry in Prometheus' text format. */
  text(): Promise<string>
}

export interface CallMetrics {
  /** Provider type. */
  readonly provider: string
  readonly model: string
  readonly outcome: 'ok' | 'error' | 'aborted' | 'cutoff'
  readonly latencyMs: number
  readonly promptTokens: number
  readonly completionTokens: number
  readonly nanoUsd: number
}

/** Models beside the configured ones that get a label of their own; the rest is `other`. Clients choose names freely. */
const OTHER_MODELS = 100

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** `cutoff` is a success: the answer ended inside the protocol. */
const STATUS = { ok: 'success', cutoff: 'success', error: 'error', aborted: 'aborted' } as const

/**
 * Metrics on the host's registry, or a new one. What another gateway has already registered there is shared.
 *
 * @param options.models names that the configuration knows
 */
export function metricsOn(options: { registry?: Registry | undefined; models?: Iterable<string> } = {}): Metrics {
  const registry = options.registry ?? new Registry()
  const families = familiesOn(registry)
  const series = seriesOf(families, modelLabels(options.models ?? []))
  let configured = 0
  return {
    callEnded: (call) => countCall(families, series(call.provider, call.model), call),
    attemptFailed: (provider, model, code) => series(provider, model).failed(code),
    refused: (code) => families.refusals.inc({ code }),
    dlpFound: (where, pattern) => families.dlpFindings.inc({ where, pattern }),
    streamOpened: () => families.openStreams.inc(),
    streamClosed: () => families.openStreams.dec(),
    settleRetried: () => families.settleRetries.inc(),
    providersConfigured(count) {
      families.providers.inc(count - configured)
      configured = count
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  }
}

type Families = ReturnType<typeof familiesOn>

function familiesOn(registry: Registry) {
  const shared = <Metric>(name: string, make: () => Metric) =>
    (registry.getSingleMetric(name) as Metric | undefined) ?? make()
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    shared(name, () => new Counter({ name, help, labelNames, registers }))
  const gauge = (name: string, help: string) => shared(name, () => new Gauge({ name, help, registers }))
  const duration = 'hoosh_request_duration_seconds'
  const help = 'Time of calls that reached a provider, to the end of the answer'
  return {
    requests: counter('hoosh_requests_total', 'Calls that reached a provider', ['provider', 'model', 'status']),
    seconds: shared(
      duration,
      () => new Histogram({ name: duration, help, labelNames: ['provider', 'model'], buckets: SECONDS, registers }),
    ),
    tokens: counter('hoosh_tokens_total', 'Tokens charged', ['provider', 'type']),
    cost: counter('hoosh_cost_nano_usd_total', 'Money charged, in 1e-9 USD', ['provider', 'model']),
    failures: counter('hoosh_attempt_failures_total', 'Failed tries of a route', ['provider', 'model', 'code']),
    refusals: counter('hoosh_refusals_total', 'Calls refused before a provider heard of them', ['code']),
    dlpFindings: counter('hoosh_dlp_findings_total', 'Calls in which a pattern was found', ['where', 'pattern']),
    cutoffs: counter('hoosh_stream_cutoffs_total', 'Streams that ended with their budget', []),
    settleRetries: counter('hoosh_settle_retries_total', 'Settlements that had to be repeated', []),
    openStreams: gauge('hoosh_open_streams', 'Streams being relayed'),
    providers: gauge('hoosh_providers_configured', 'Configured providers'),
  }
}

/** One provider and model, with their labels resolved. */
interface Series {
  readonly status: Record<(typeof STATUS)[keyof typeof STATUS], { inc(): void }>
  readonly seconds: { observe(seconds: number): void }
  readonly prompt: { inc(tokens: number): void }
  readonly completion: { inc(tokens: number): void }
  readonly cost: { inc(nanoUsd: number): void }
  failed(code: string): void
}

function countCall(families: Families, series: Series, call: CallMetrics): void {
  series.status[STATUS[call.outcome]].inc()
  series.seconds.observe(call.latencyMs / 1_000)
  if (call.promptTokens > 0) series.prompt.inc(call.promptTokens)
  if (call.completionTokens > 0) series.completion.inc(call.completionTokens)
  if (call.nanoUsd > 0) series.cost.inc(call.nanoUsd)
  if (call.outcome === 'cutoff') families.cutoffs.inc()
}

/** Finds, or makes once, the series of a provider and model. */
function seriesOf(families: Families, label: (model: string) => string): (provider: string, model: string) => Series {
  const providers = new Map<string, Map<string, Series>>()
  return (provider, name) => {
    let models = providers.get(provider)
    if (models === undefined) {
      models = new Map()
      providers.set(provider, models)
    }
    const model = label(name)
    let series = models.get(model)
    if (series === undefined) {
      series = newSeries(families, provider, model)
      models.set(model, series)
    }
    return series
  }
}

function newSeries(families: Families, provider: string, model: string): Series {
  const status = (name: string) => families.requests.labels(provider, model, name)
  return {
    status: { success: status('success'), error: status('error'), aborted: status('aborted') },
    seconds: families.seconds.labels(provider, model),
    prompt: families.tokens.labels(provider, 'prompt'),
    completion: families.tokens.labels(provider, 'completion'),
    cost: families.cost.labels(provider, model),
    failed: (code) => families.failures.inc({ provider, model, code }),
  }
}

function modelLabels(known: Iterable<string>): (model: string) => string {
  const labels = new Set(known)
  const most = labels.size + OTHER_MODELS
  return (model) => {
    if (labels.has(model)) return model
    if (labels.size >= most) return 'other'
    labels.add(model)
    return model
  }
}
