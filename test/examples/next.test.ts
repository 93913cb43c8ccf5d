import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath, openChromium } from '../support/chromium.js'
import { built, nextApp, started } from '../support/next-app.js'

const PREPARE_MS = 600_000
const NO_BROWSER = 'there is no Chromium on this machine'
/** Where a run leaves pictures for whoever wants to look. */
const SHOTS = process.env.HOOSH_SCREENSHOTS

describe('examples/next', () => {
  const example = nextApp('examples/next')
  let app: Awaited<ReturnType<typeof started>>
  let browser: Browser | undefined
  beforeAll(async () => {
    await built(example)
    app = await started(example, {})
    if (chromiumPath !== null) browser = await openChromium()
  }, PREPARE_MS)
  afterAll(async () => {
    await browser?.close()
    await app.close()
  })

  it('refuses whoever has no session, or one that was made elsewhere', async () => {
    for (const cookie of ['', 'session=ada', 'session=ada.bm90IHJpZ2h0']) {
      const models = await fetch(`${app.url}/v1/models`, { headers: { cookie } })
      expect(models.status).toBe(401)
      expect(await (await fetch(app.url, { headers: { cookie } })).text()).toContain('Sign in as')
    }
  })

  const open = async (): Promise<{ page: Page; faults: string[] }> => {
    const page = await browser!.newPage({ viewport: { width: 900, height: 700 } })
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(String(error)))
    page.on('console', (line) => void (line.type() === 'error' && faults.push(line.text())))
    await page.goto(app.url)
    return { page, faults }
  }

  it('in a browser: sign in, see words arrive and the budget fall, stop an answer', async ({ skip }) => {
    if (browser === undefined) return skip(NO_BROWSER)
    const { page, faults } = await open()
    await shot(page, 'login')
    await page.getByRole('button', { name: 'Sign in as Ada' }).click()
    await page.getByText('2,000 of 2,000 tokens left').waitFor()
    const left = async () => Number((await page.getByRole('status').innerText()).replace(/ of.*|,/g, ''))
    const answer = page.locator('.assistant')
    const stop = page.getByRole('button', { name: 'Stop' })

    await ask(page, 'What are you?')
    await stop.waitFor()
    const lengths = new Set<number>()
    while (await stop.isVisible()) lengths.add((await answer.innerText()).length)
    expect(lengths.size).toBeGreaterThan(5)
    expect(await answer.innerText()).toContain('You said: "What are you?".')
    await expect.poll(left).toBeLessThan(2_000)
    await shot(page, 'answer')

    const before = await left()
    await ask(page, 'A long story, please. '.repeat(8))
    await expect
      .poll(async () => (await answer.count()) === 2 && (await answer.last().innerText()).length)
      .toBeGreaterThan(20)
    await shot(page, 'streaming')
    await stop.click()
    await page.getByRole('button', { name: 'Send' }).waitFor()
    const stopped = await answer.last().innerText()
    // What was said is charged, and what was set aside beyond that has come back.
    await expect.poll(async () => before - (await left())).toBeGreaterThan(0)
    await expect.poll(async () => before - (await left())).toBeLessThan(200)
    expect(await answer.last().innerText()).toBe(stopped)
    expect(stopped).not.toContain('".')
    await shot(page, 'stopped')
    expect(faults).toEqual([])
    await page.close()
  }, 60_000)

  it('in a browser: where nothing is left, the page says so in the words of hoosh', async ({ skip }) => {
    if (browser === undefined) return skip(NO_BROWSER)
    const { page } = await open()
    await page.getByRole('button', { name: 'Sign in as Grace' }).click()
    await page.getByText('2,000 of 2,000 tokens left').waitFor()
    const held = await page.evaluate(async () => {
      const body = JSON.stringify({ tokens: 1_999 })
      const headers = { 'content-type': 'application/json' }
      return (await fetch('/v1/tokens/reserve', { method: 'POST', headers, body })).status
    })
    expect(held).toBe(200)
    await ask(page, 'What are you?')
    expect(await page.locator('.error').innerText()).toMatch(/user:grace.* 1 token/)
    await shot(page, 'refused')
    await page.close()
  }, 60_000)
})

async function ask(page: Page, text: string): Promise<void> {
  await page.getByLabel('Your question').fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
}

async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, `next-${name}.png`) })
}
