import { express4Mount, express5Mount } from './apps/express.js'
import { testMount } from './matrix.js'

testMount(express4Mount)
testMount(express5Mount)
