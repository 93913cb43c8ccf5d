import { mountOn, RUNTIMES } from './apps/runtimes.js'
import { skipMount, testMount } from './matrix.js'

for (const runtime of RUNTIMES) {
  const mount = mountOn(runtime)
  if (mount !== null) testMount(mount)
  else skipMount(runtime.name, `not tested: no ${runtime.command} here (npm install --no-save ${runtime.command})`)
}
