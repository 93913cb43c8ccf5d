import { honoMount } from './apps/hono.js'
import { testMount } from './matrix.js'

testMount(honoMount)
