import type { Mount } from '../plan.js'
import { express4Mount, express5Mount } from './express.js'
import { honoMount } from './hono.js'
import { koa2Mount, koa3Mount } from './koa.js'
import { next16Mount } from './next.js'
import { nodeMount } from './node.js'

/** Every way of mounting that exists here, for suites that run on each. */
export const MOUNTS: readonly Mount[] = [
  nodeMount,
  express5Mount,
  express4Mount,
  koa3Mount,
  koa2Mount,
  honoMount,
  next16Mount,
]
