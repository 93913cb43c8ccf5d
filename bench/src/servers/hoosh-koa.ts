import { createGateway } from '@hoosh/core'
import { hoosh } from '@hoosh/koa'
import Koa from 'koa'
import { identify, options } from './hoosh-options.js'
import { serve } from './serve.js'

const app = Object.assign(new Koa(), { silent: true }) // it logs clients that leave
app.use(hoosh(createGateway(options), { identify }))
serve(app.callback())
