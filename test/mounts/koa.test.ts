import { koa2Mount, koa3Mount } from './apps/koa.js'
import { testMount } from './matrix.js'

testMount(koa2Mount)
testMount(koa3Mount)
