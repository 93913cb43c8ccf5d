import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { budgetStoreCases } from '@hoosh/core/conformance'
import { expect, it, onTestFinished } from 'vitest'
import { codeBlocks } from './documents.js'
import { root } from './sources.js'

const run = promisify(execFile)

/** A folder with what docs/conformance.md says: the harness, and the test that begins with this import. */
function folderFor(runner: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-loop-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const blocks = codeBlocks('docs/conformance.md', 'ts').map(({ code }) => code)
  const harness = blocks.find((code) => code.startsWith('// harness.ts'))!
  const loop = blocks.find((code) => code.includes(`from '${runner}'`))!
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const typed = /^import type .*\n|: BudgetHarness/gm
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'harness.js'), harness.replace(typed, ''))
  writeFileSync(join(folder, 'store.test.js'), loop)
  return folder
}

const count = budgetStoreCases.length

it('docs/conformance.md: the loop for vitest runs every case', async () => {
  const cwd = folderFor('vitest')
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const { stdout } = await run(process.execPath, [vitest, 'run', '--root', cwd, '--reporter=json'], {
    cwd,
    env: plain(),
  })
  expect(JSON.parse(stdout)).toMatchObject({ numPassedTests: count, numTotalTests: count })
})

it('docs/conformance.md: the loop for node:test runs every case', async () => {
  const cwd = folderFor('node:test')
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', 'store.test.js'], {
    cwd,
    env: plain(),
  })
  expect(stdout).toContain(`# pass ${count}`)
  expect(stdout).toContain('# fail 0')
})

// Jest is fetched from the registry, for which an ordinary run has no time.
it.skipIf(process.env.HOOSH_LONG !== '1')(
  'docs/conformance.md: the loop for jest runs every case',
  { timeout: 600_000 },
  async () => {
    const cwd = folderFor('@jest/globals')
    const env = { ...plain(), NODE_OPTIONS: '--experimental-vm-modules' }
    const args = ['-y', 'jest@30', '--rootDir', cwd, '--json', '--transform', '{}']
    const { stdout } = await run('npx', args, { cwd, env })
    expect(JSON.parse(stdout)).toMatchObject({ numPassedTests: count, numTotalTests: count })
  },
)

/** Without what a runner tells the processes that it starts. */
function plain(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, VITEST: _vitest, NODE_TEST_CONTEXT: _context, ...env } = process.env
  return env
}
