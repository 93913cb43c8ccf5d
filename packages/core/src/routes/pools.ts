import { z } from 'zod'
import { wirePoolTerms } from '../budget/spec.js'
import { freezePool, setPool, stateOf } from '../inference/pool-admin.js'
import { wirePool } from './pool-wire.js'
import { json, type RouteDefinition } from './route.js'
import { poolName } from './schemas.js'
import { validated } from './validate.js'

const poolPath = z.object({ name: poolName })

/** Sets a pool's terms, from now on and before any template. A body that only says `frozen` leaves all others as they are. */
export const putPool: RouteDefinition = {
  method: 'PUT',
  path: '/v1/tokens/pools/:name',
  access: 'admin',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    const { value } = await exchange.readJson()
    const terms = wirePoolTerms(value)
    if (Object.keys(value).join() === 'frozen') {
      return json(wirePool(await freezePool(engine, exchange, name, terms.frozen === true)), exchange)
    }
    await setPool(engine, exchange, name, terms)
    return json(wirePool(await stateOf(engine, { name, terms })), exchange)
  },
}

/** Takes a pool's own terms away: its template counts again. Its accounts stay as they are. */
export const deletePool: RouteDefinition = {
  method: 'DELETE',
  path: '/v1/tokens/pools/:name',
  access: 'admin',
  async handle(exchange, engine) {
    const { name } = validated(poolPath, exchange.params)
    await setPool(engine, exchange, name, null)
    return json({ name, deleted: true }, exchange)
  },
}
