import { usdText } from '../amount.js'
import type { Quote } from '../cost/prices.js'
import { HooshError } from '../errors.js'
import type { Engine } from '../inference/engine.js'
import { MODELS, type ModelFacts } from '../providers/models.js'
import type { ListedModel } from '../routing/model-list.js'
import { type Route, takers } from '../routing/route.js'
import { type Exchange, json, type RouteDefinition, shortened } from './route.js'

/** Models that the providers say they have, and those that routes name in full. */
export const models: RouteDefinition = {
  method: 'GET',
  path: '/v1/models',
  access: 'identity',
  isForPages: true,
  async handle(exchange, engine) {
    return json({ object: 'list', data: await visible(exchange, engine) }, exchange)
  },
}

/** One of them by its id, slashes included. */
export const model: RouteDefinition = {
  method: 'GET',
  path: '/v1/models/*id',
  access: 'identity',
  isForPages: true,
  async handle(exchange, engine) {
    const { id } = exchange.params
    const found = (await visible(exchange, engine)).find((one) => one.id === id)
    if (found !== undefined) return json(found, exchange)
    const message = `No model is named "${shortened(id!)}".`
    throw new HooshError('model_not_found', { message, details: { param: 'model' } })
  },
}

/** Well-known models that some configured route would take, with facts and price, whether or not its provider was asked. */
export const modelsCatalog: RouteDefinition = {
  method: 'GET',
  path: '/v1/models/catalog',
  access: 'identity',
  isForPages: true,
  handle(exchange, engine) {
    const routes = engine.router.routes.filter(({ enabled }) => enabled)
    const data = MODELS.flatMap((facts) => {
      const { id } = facts
      const [route] = takers(routes, id)
      return route === undefined || !exchange.caller.mayUse(id)
        ? []
        : [{ ...wire(id, route), ...known(facts, engine.prices.quote(route, id)) }]
    })
    return json({ object: 'list', data }, exchange)
  },
}

/** What is known of a model, and what it costs there: USD per million tokens, null where no price is known. */
function known(facts: ModelFacts, quote: Quote | null) {
  const { contextWindow, maxOutput, tier, modalities, capabilities, reasoning } = facts
  return {
    context_window: contextWindow,
    max_output_tokens: maxOutput,
    tier,
    modalities,
    capabilities: {
      tools: capabilities.toolUse,
      vision: capabilities.vision,
      json_schema: capabilities.chat && capabilities.jsonSchema,
      embeddings: capabilities.embeddings,
      reasoning,
    },
    pricing:
      quote === null
        ? null
        : {
            input_usd: usdText(quote.input),
            cached_input_usd: usdText(quote.cachedInput),
            output_usd: usdText(quote.output),
            source: quote.source,
          },
  }
}

/** Those that the caller may use. */
export async function visibleModels({ caller }: Exchange, engine: Engine): Promise<ListedModel[]> {
  return (await engine.listModels()).filter(({ id }) => caller.mayUse(id))
}

async function visible(exchange: Exchange, engine: Engine) {
  return (await visibleModels(exchange, engine)).map(({ id, route }) => wire(id, route))
}

function wire(id: string, route: Route) {
  return { id, object: 'model', created: 0, owned_by: route.type, provider: route.name }
}
