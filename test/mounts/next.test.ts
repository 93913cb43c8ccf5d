import { beforeAll } from 'vitest'
import { testInNext } from '../next/in-next.js'
import { build, mountOn, next16 } from './apps/next.js'
import { testMount } from './matrix.js'

const mount = mountOn('Next 16', next16)

beforeAll(() => build(next16), 600_000)

testMount(mount)
testInNext(mount)
