import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { budgetStoreCases } from '@hoosh/core/conformance'
import Database from 'libsql'
import { expect, it, onTestFinished } from 'vitest'
import { startExample } from './start.js'

it('examples/custom-storage keeps every promise of `BudgetStore`, by its own tests', async () => {
  const cwd = fileURLToPath(new URL('../../examples/custom-storage', import.meta.url))
  const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...env } = process.env
  const args = ['--test', '--test-reporter=tap', 'dist/budgets.test.js']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env })
  expect(stdout).toContain(`# pass ${budgetStoreCases.length}`)
  expect(stdout).toContain('# fail 0')
})

it("examples/custom-storage prints a command that asks, and books it in the app's own tables", async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'hoosh-'))
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
  const file = join(cwd, 'app.sqlite')
  const { commands, run, stop } = await startExample('custom-storage', { cwd, env: { DATABASE: file } })
  const [chat, pools] = commands
  const { usage } = JSON.parse(await run(chat)) as { usage: { total_tokens: number } }
  expect(JSON.parse(await run(pools))).toMatchObject([{ name: 'user:ada', used: usage.total_tokens, reserved: 0 }])
  expect(await stop()).toBe(0)
  const database = new Database(file)
  const [account] = database.prepare('select used_tokens, held_tokens from budget_accounts').all()
  database.close()
  expect(account).toMatchObject({ used_tokens: usage.total_tokens, held_tokens: 0 })
})
