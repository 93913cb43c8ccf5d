import { nodeMount } from './apps/node.js'
import { testMount } from './matrix.js'

testMount(nodeMount)
