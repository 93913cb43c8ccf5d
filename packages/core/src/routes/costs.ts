import { z } from 'zod'
import { isWhole, usdText } from '../amount.js'
import { costOf } from '../cost/price.js'
import { type ModelCandidate, recommend } from '../cost/recommend.js'
import type { UsageTotal } from '../cost/store.js'
import { noUsage } from '../cost/usage.js'
import { HooshError } from '../errors.js'
import type { Caller } from '../identity/caller.js'
import type { Engine } from '../inference/engine.js'
import { nameablePool } from '../inference/new-call.js'
import { microUsd } from '../inference/usage-text.js'
import { MODELS } from '../providers/models.js'
import { json, type RouteDefinition } from './route.js'
import { idText, modelName, poolName } from './schemas.js'
import { validated } from './validate.js'

const day = z
  .string()
  .regex(/^\d{4}-\d\d-\d\d$/, { error: 'must be a day, YYYY-MM-DD' })
  .optional()
const costsQuery = z.object({ from: day, to: day, user: idText.optional(), pool: poolName.optional() })
const count = z
  .number({ error: 'must be a whole number' })
  .refine(isWhole, { error: 'must be a whole number of at least 0' })

/** Totals since the last reset: the caller's own, everybody's for an admin. */
export const costs: RouteDefinition = {
  method: 'GET',
  path: '/v1/costs',
  access: 'identity',
  async handle(exchange, engine) {
    const { caller, request } = exchange
    const said = validated(costsQuery, Object.fromEntries(request.query))
    const { from, to, pool } = said
    if (pool !== undefined) nameablePool(pool, caller)
    const user = caller.admin ? said.user : caller.user
    const totals = await engine.storage.usage.totals({
      ...(user === undefined ? {} : { user }),
      ...(pool === undefined ? {} : { pool }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    })
    const sum = (field: 'requests' | 'promptTokens' | 'completionTokens' | 'nanoUsd') =>
      totals.reduce((all, total) => all + total[field], 0)
    const nanoUsd = sum('nanoUsd')
    const body = {
      records: totals.map(wireTotal),
      total_cost_usd: nanoUsd / 1e9,
      total_cost_micro_usd: Number(microUsd(nanoUsd)),
      total_cost_nano_usd: nanoUsd,
      total_requests: sum('requests'),
      total_prompt_tokens: sum('promptTokens'),
      total_completion_tokens: sum('completionTokens'),
    }
    return json(body, exchange)
  },
}

/** Begins the totals anew. */
export const costsReset: RouteDefinition = {
  method: 'POST',
  path: '/v1/costs/reset',
  access: 'admin',
  async handle(exchange, engine) {
    await engine.storage.usage.reset()
    const { audit } = engine
    if (audit !== null) {
      const event = { event: 'admin.costs_reset', level: 'warn', message: 'The cost totals were reset.' } as const
      await audit.stage(audit.record({ ...event, subject: exchange.caller.user, requestId: exchange.requestId }))
    }
    return json({ status: 'ok' }, exchange)
  },
}

const estimateRequest = z.looseObject({
  model: modelName,
  input_tokens: count.default(0),
  output_tokens: count.default(0),
})

/** What a call of so many tokens would cost, on the route it would take. */
export const costEstimate: RouteDefinition = {
  method: 'POST',
  path: '/v1/cost/estimate',
  access: 'identity',
  async handle(exchange, engine) {
    const { model, input_tokens, output_tokens } = validated(estimateRequest, (await exchange.readJson()).value)
    const candidate = engine.router.first(model)
    const quote = engine.prices.quote(candidate.route, candidate.model)
    if (quote === null) {
      throw new HooshError('unpriced_model', {
        message: `No price is known for the model "${model}".`,
        details: { param: 'model' },
      })
    }
    const nanoUsd = costOf({ ...noUsage, input: input_tokens, output: output_tokens }, quote)
    const price = {
      estimated_cost_micro_usd: Number(microUsd(nanoUsd)),
      estimated_cost_usd: usdText(nanoUsd),
      price: quote.source,
    }
    return json({ model, provider: candidate.route.type, input_tokens, output_tokens, ...price }, exchange)
  },
}

const flag = z.boolean({ error: 'must be true or false' }).default(false)
const recommendRequest = z.looseObject({
  input_tokens: count.default(0),
  max_output_tokens: count.default(0),
  uses_tools: flag,
  has_vision: flag,
  has_system_prompt: flag,
})

/** The cheapest configured model that can do it. */
export const costRecommend: RouteDefinition = {
  method: 'POST',
  path: '/v1/cost/recommend',
  access: 'identity',
  async handle(exchange, engine) {
    const wanted = validated(recommendRequest, (await exchange.readJson()).value)
    const profile = {
      inputTokens: wanted.input_tokens,
      maxOutputTokens: wanted.max_output_tokens,
      usesTools: wanted.uses_tools,
      hasVision: wanted.has_vision,
      hasSystemPrompt: wanted.has_system_prompt,
    }
    const best = recommend(profile, candidatesOf(engine, exchange.caller))
    if (best === null) {
      throw new HooshError('not_found', {
        message: "No configured model, named in full by a provider's `models`, can do this.",
      })
    }
    return json(
      {
        model: best.model,
        provider: best.provider,
        tier: best.tier,
        required_tier: best.requiredTier,
        estimated_cost_micro_usd: Number(microUsd(best.nanoUsd)),
        estimated_cost_usd: usdText(best.nanoUsd),
      },
      exchange,
    )
  },
}

/** Models that a route names in full, of which enough is known to compare them. */
function candidatesOf(engine: Engine, caller: Caller): ModelCandidate[] {
  return engine.router.routes
    .filter(({ enabled }) => enabled)
    .flatMap((route) =>
      MODELS.filter(({ id }) => route.models.includes(id) && caller.mayUse(id)).map((facts) => ({
        model: facts.id,
        provider: route.type,
        tier: facts.tier,
        contextWindow: facts.contextWindow,
        text: facts.modalities.includes('text'),
        vision: facts.capabilities.vision,
        tools: facts.capabilities.toolUse,
        systemPrompt: facts.systemPrompt,
        quote: engine.prices.quote(route, facts.id),
      })),
    )
}

function wireTotal(total: UsageTotal): Record<string, unknown> {
  return {
    provider: total.provider,
    route: total.route,
    is_local: total.local,
    model: total.model,
    user: total.user,
    pool: total.pool,
    total_input_tokens: total.promptTokens,
    total_output_tokens: total.completionTokens,
    request_count: total.requests,
    total_cost_usd: total.nanoUsd / 1e9,
    total_cost_micro_usd: Number(microUsd(total.nanoUsd)),
    total_cost_nano_usd: total.nanoUsd,
  }
}
