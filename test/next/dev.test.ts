import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { nextApp, started } from '../support/next-app.js'

it('next dev: an edit that leaves the options as they are keeps what was spent, one that changes them counts at once', async ({
  skip,
}) => {
  if (process.env.HOOSH_LONG !== '1') skip('the dev server takes its time: npm run test:long')
  const app = nextApp('test/mounts/apps/next-app')
  const folder = mkdtempSync(`${app.folder}-dev-`)
  const isSource = (path: string) => !/\.next|next-env|tsbuildinfo/.test(path)
  cpSync(app.folder, folder, { recursive: true, filter: isSource })
  const plan = {
    gateways: [{ path: '', options: { providers: [{ type: 'demo' }], pools: { 'user:*': { tokens: 1_000 } } } }],
  }
  const { url, close } = await started({ ...app, folder }, { APP_PLAN: JSON.stringify(plan) }, 'dev')
  onTestFinished(async () => {
    await close()
    rmSync(folder, { recursive: true, force: true })
  })
  const headers = { authorization: 'Bearer alice-token', 'content-type': 'application/json' }
  const pool = async () => {
    const pools = (await (await fetch(`${url}/v1/tokens/pools`, { headers })).json()) as [
      { capacity: number; used: number },
    ]
    return pools[0]
  }
  const edit = (change: (text: string) => string) => {
    const file = join(folder, 'lib/gateways.ts')
    writeFileSync(file, change(readFileSync(file, 'utf8')))
  }
  const body = JSON.stringify({ model: 'demo', messages: [{ role: 'user', content: 'hello' }] })
  expect((await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body })).status).toBe(200)
  const { used } = await pool()
  expect(used).toBeGreaterThan(0)

  edit((text) => `${text}\nexport const evaluations = Symbol('another')\n`)
  await fetch(`${url}/whoami`, { headers }) // a route that is compiled now evaluates the module again
  expect(await pool()).toMatchObject({ capacity: 1_000, used })

  edit((text) => text.replace('...gateway.options,', "...gateway.options, pools: { 'user:*': { tokens: 5_000 } },"))
  await expect.poll(pool, { timeout: 60_000, interval: 300 }).toMatchObject({ capacity: 5_000, used: 0 })
}, 180_000)
