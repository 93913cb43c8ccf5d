import { testInNext } from '../next/in-next.js'
import { next16Mount } from './apps/next.js'
import { testMount } from './matrix.js'

testMount(next16Mount)
testInNext(next16Mount)
