import { it } from 'vitest'
import { bunMount, denoMount } from './apps/runtimes.js'
import { testMount } from './matrix.js'

for (const [command, mount] of Object.entries({ bun: bunMount, deno: denoMount })) {
  if (mount !== null) testMount(mount)
  else it(`the fetch mount on ${command}`, ({ skip }) => skip(`no ${command} here: npm install --no-save ${command}`))
}
