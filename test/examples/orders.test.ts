import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { expect, it, onTestFinished } from 'vitest'
import { startExample } from './start.js'

it('examples/orders prints commands that order, order again and order too much: order and charge are one commit', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'hoosh-'))
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
  const { url, commands, run, stop } = await startExample('orders', {
    cwd,
    env: { DATABASE: join(cwd, 'orders.sqlite') },
  })
  expect((await fetch(`${url}/orders`)).status).toBe(401)
  const [order, again, tooMany, orders, pools] = commands
  expect(JSON.parse(await run(order))).toEqual({ reference: 'A-1', customer: 'ada', pages: 3 })
  expect(JSON.parse(await run(again))).toEqual({ error: 'That reference is taken.' })
  expect(JSON.parse(await run(tooMany)).error).toContain('has 700 tokens left; this call needs 800')
  expect(JSON.parse(await run(orders))).toEqual([{ reference: 'A-1', customer: 'ada', pages: 3 }])
  expect(JSON.parse(await run(pools))).toMatchObject([{ name: 'customer:ada', used: 300, reserved: 0 }])

  // A fault of the shop's is not the customer's to read.
  const other = new Database(join(cwd, 'orders.sqlite'))
  onTestFinished(() => void other.close())
  other.exec('alter table hoosh_holds rename to away')
  const failed = await fetch(`${url}/orders`, {
    method: 'POST',
    headers: { 'x-customer': 'ada', 'content-type': 'application/json' },
    body: '{"reference":"A-3","pages":1}',
  })
  other.exec('alter table away rename to hoosh_holds')
  expect([failed.status, await failed.json()]).toEqual([500, { error: 'Something went wrong. Please try again.' }])
  expect(await stop()).toBe(0)
})
