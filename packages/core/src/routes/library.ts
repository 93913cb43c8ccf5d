import { z } from 'zod'
import { type CancelSignal, cancel } from '../cancel.js'
import { HooshError } from '../errors.js'
import type { ByteSink, GatewayReply } from '../exchange.js'
import type { Engine } from '../inference/engine.js'
import type { ModelLibrary, UpstreamBody } from '../providers/provider.js'
import { takers } from '../routing/route.js'
import { visibleModels } from './models.js'
import { type Exchange, json, type RouteDefinition } from './route.js'
import { modelName } from './schemas.js'
import { validated } from './validate.js'

const body = z.looseObject({ model: modelName })

/** The models of `GET /v1/models` as Ollama lists its own, for programs that ask nothing else. */
export const apiTags: RouteDefinition = {
  method: 'GET',
  path: '/api/tags',
  access: 'identity',
  isRoot: true,
  async handle(exchange, engine) {
    const listed = await visibleModels(exchange, engine)
    const models = listed.map(({ id, route }) => {
      return { name: id, model: id, modified_at: '', size: 0, digest: '', details: { family: route.type } }
    })
    return json({ models }, exchange)
  },
}

/** Fetches a model onto an Ollama server; the answer is Ollama's own, line by line as it goes on. */
export const modelsPull: RouteDefinition = {
  method: 'POST',
  path: '/v1/models/pull',
  access: 'admin',
  async handle(exchange, engine) {
    const { model, library } = await asked(exchange, engine, 'admin.model_pulled', 'was asked to be fetched')
    const gone = cancel()
    const leave = () => gone.abort(new HooshError('client_closed'))
    exchange.request.signal.addEventListener('abort', leave)
    if (exchange.request.signal.aborted) leave()
    const reply = await library.pull(model, gone)
    if (!reply.ok) throw reply.error
    return {
      status: 200,
      headers: {
        'content-type': 'application/x-ndjson',
        'cache-control': 'no-cache, no-transform, no-store',
        'x-request-id': exchange.requestId,
      },
      body: (sink) =>
        poured(reply.body, sink, gone).finally(() => exchange.request.signal.removeEventListener('abort', leave)),
    }
  },
}

/** Removes a model from an Ollama server. */
export const modelsDelete: RouteDefinition = {
  method: 'POST',
  path: '/v1/models/delete',
  access: 'admin',
  async handle(exchange, engine): Promise<GatewayReply> {
    const { model, library } = await asked(exchange, engine, 'admin.model_deleted', 'was asked to be removed')
    const reply = await library.remove(model, exchange.request.signal)
    if (!reply.ok) throw reply.error
    // Ollama says nothing where all is well.
    if (reply.bytes.length === 0) return json({ model, deleted: true }, exchange)
    return { ...json({}, exchange), body: reply.bytes }
  },
}

/** Which model, and whose: the route that is named by `x-hoosh-provider`, else the first that would be asked for it. */
async function asked(exchange: Exchange, engine: Engine, event: string, what: string) {
  const { model } = validated(body, (await exchange.readJson()).value)
  const name = exchange.request.header('x-hoosh-provider')
  const routes = engine.router.routes
    .filter((route) => route.enabled && route.provider.library !== undefined)
    .filter((route) => name === undefined || route.name === name)
    .sort((a, b) => a.priority - b.priority)
  const route = takers(routes, model)[0] ?? routes[0]
  if (route === undefined) {
    const which = name === undefined ? 'No provider here' : `No provider named "${name}"`
    throw new HooshError('not_found', { message: `${which} keeps models of its own, as Ollama does.` })
  }
  const { audit } = engine
  const record = audit?.record({
    event,
    level: 'warn',
    message: `The model "${model}" ${what}.`,
    provider: route.type,
    model,
    subject: exchange.caller.user,
    requestId: exchange.requestId,
    metadata: { route: route.name },
  })
  if (record !== undefined) await audit!.stage(record)
  const library: ModelLibrary = route.provider.library!
  return { model, library }
}

/** All of a body, as slowly as the client takes it. What breaks it off is said in a last line, as Ollama says it. */
function poured(from: UpstreamBody, sink: ByteSink, gone: CancelSignal): Promise<void> {
  return new Promise((resolve) => {
    if (gone.aborted) return resolve()
    gone.addEventListener('abort', () => resolve())
    from.start({
      data(chunk) {
        if (sink.closed) {
          from.abort()
          return resolve()
        }
        const writing = sink.write(chunk)
        if (writing === undefined) return
        from.pause()
        void writing.then(() => from.resume())
      },
      end: resolve,
      fail(error) {
        const last = sink.write(`${JSON.stringify({ error: error.message })}\n`)
        if (last === undefined) resolve()
        else void last.then(resolve)
      },
    })
  })
}
