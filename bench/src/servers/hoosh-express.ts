import { createGateway } from '@hoosh/core'
import { hoosh } from '@hoosh/express'
import express from 'express'
import { identify, options } from './hoosh-options.js'
import { serve } from './serve.js'

const app = express()
app.use(hoosh(createGateway(options), { identify }))
serve(app)
