import { beforeAll } from 'vitest'
import { build, mountOn, next16 } from './apps/next.js'
import { testMount } from './matrix.js'

beforeAll(() => build(next16), 600_000)

testMount(mountOn('Next 16', next16))
