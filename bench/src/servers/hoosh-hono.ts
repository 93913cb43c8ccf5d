import { getRequestListener } from '@hono/node-server'
import { createGateway } from '@hoosh/core'
import { toFetchHandler } from '@hoosh/core/fetch'
import { Hono } from 'hono'
import { identify, options } from './hoosh-options.js'
import { serve } from './serve.js'

const handler = toFetchHandler(createGateway(options), { identify })
const app = new Hono()
app.all('/v1/*', (c) => handler(c.req.raw))
serve(getRequestListener(app.fetch))
