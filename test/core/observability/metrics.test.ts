import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { type CallMetrics, metricsOn } from '../../../packages/core/src/observability/metrics.js'

const call = (fields: Partial<CallMetrics> = {}): CallMetrics => ({
  provider: 'openai',
  model: 'gpt-4o',
  outcome: 'ok',
  latencyMs: 300,
  promptTokens: 10,
  completionTokens: 5,
  nanoUsd: 75_000,
  ...fields,
})

describe('metrics', () => {
  it('count calls, their time, tokens and money', async () => {
    const metrics = metricsOn()
    metrics.callEnded(call())
    metrics.callEnded(call({ outcome: 'error', completionTokens: 0, nanoUsd: 0 }))
    metrics.callEnded(call({ outcome: 'cutoff' }))
    const text = await metrics.text()
    expect(metrics.contentType).toContain('text/plain; version=0.0.4')
    for (const line of [
      'hoosh_requests_total{provider="openai",model="gpt-4o",status="success"} 2',
      'hoosh_requests_total{provider="openai",model="gpt-4o",status="error"} 1',
      'hoosh_request_duration_seconds_bucket{le="0.25",provider="openai",model="gpt-4o"} 0',
      'hoosh_request_duration_seconds_bucket{le="0.5",provider="openai",model="gpt-4o"} 3',
      'hoosh_tokens_total{provider="openai",type="prompt"} 30',
      'hoosh_tokens_total{provider="openai",type="completion"} 10',
      'hoosh_cost_nano_usd_total{provider="openai",model="gpt-4o"} 150000',
      'hoosh_stream_cutoffs_total 1',
    ]) {
      expect(text).toContain(line)
    }
  })

  it('count refusals, failed attempts, open streams and repeated settlements', async () => {
    const metrics = metricsOn()
    metrics.refused('budget_exceeded')
    metrics.attemptFailed('openai', 'gpt-4o', 'provider_error')
    metrics.streamOpened()
    metrics.streamOpened()
    metrics.streamClosed()
    metrics.settleRetried()
    const text = await metrics.text()
    expect(text).toContain('hoosh_refusals_total{code="budget_exceeded"} 1')
    expect(text).toContain('hoosh_attempt_failures_total{provider="openai",model="gpt-4o",code="provider_error"} 1')
    expect(text).toContain('hoosh_open_streams 1')
    expect(text).toContain('hoosh_settle_retries_total 1')
  })

  it("stand on the host's registry beside its own", async () => {
    const registry = new Registry()
    metricsOn({ registry }).callEnded(call())
    expect(await registry.metrics()).toContain('hoosh_requests_total')
  })

  it('of two gateways on one registry add up', async () => {
    const registry = new Registry()
    const [one, two] = [metricsOn({ registry }), metricsOn({ registry })]
    one.callEnded(call())
    two.callEnded(call())
    one.providersConfigured(2)
    two.providersConfigured(3)
    one.providersConfigured(1)
    const text = await registry.metrics()
    expect(text).toContain('status="success"} 2')
    expect(text).toContain('hoosh_providers_configured 4')
  })

  it('have a label for each configured model and the first hundred others, so that nobody can fill our memory', async () => {
    const metrics = metricsOn({ models: ['known'] })
    for (let i = 0; i < 300; i += 1) metrics.callEnded(call({ model: `made-up-${i}` }))
    metrics.callEnded(call({ model: 'known' }))
    const text = await metrics.text()
    expect(text).toContain('model="made-up-99",status="success"} 1')
    expect(text).not.toContain('made-up-100')
    expect(text).toContain('model="other",status="success"} 200')
    expect(text).toContain('model="known",status="success"} 1')
  })
})
