import { expect, it } from 'vitest'
import cli from '../../packages/cli/package.json' with { type: 'json' }
import { HOOSH, run } from './hoosh.js'

it.each(['--version', '-v'])('hoosh %s says which it is', async (flag) => {
  expect(await run(process.execPath, [HOOSH, flag])).toEqual({ code: 0, out: `${cli.version}\n`, err: '' })
})

it.each([[[]], [['--help']], [['help']]])('hoosh %j lists the commands', async (args) => {
  const { code, out, err } = await run(process.execPath, [HOOSH, ...args])
  expect([code, err]).toEqual([0, ''])
  for (const command of ['migrate', 'doctor', 'audit verify', 'audit keys']) expect(out).toContain(command)
})
