import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { identify, options } from './hoosh-options.js'
import { serve } from './serve.js'

serve(toNodeHandler(createGateway(options), { identify }))
