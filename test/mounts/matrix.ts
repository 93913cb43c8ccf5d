import { type ScriptedProvider, scriptedProvider } from '@hoosh/core/testing'
import { afterAll, beforeAll, describe, inject, it } from 'vitest'
import { type Case, type PlanName, plansFor, type Scene, sceneOf } from './case.js'
import { ABORTS } from './cases/aborts.js'
import { ANSWERS } from './cases/answers.js'
import { BODIES } from './cases/bodies.js'
import { CALLERS } from './cases/callers.js'
import { MULTIPART } from './cases/multipart.js'
import { PATHS } from './cases/paths.js'
import { SMUGGLING } from './cases/smuggling.js'
import { type App, type Mount, PREPARE_MS } from './plan.js'
import { note, type Outcome } from './table.js'

/** What every mount has to do, in the order of the table. */
const CASES: readonly Case[] = [...ANSWERS, ...BODIES, ...MULTIPART, ...PATHS, ...CALLERS, ...ABORTS, ...SMUGGLING]

/** Runs every case on a mount; what means nothing there is skipped with its reason. */
export function testMount(mount: Mount): void {
  describe(mount.name, () => {
    const outcomes: Record<string, Outcome> = {}
    const apps = new Map<PlanName, Promise<App>>()
    let provider: ScriptedProvider
    beforeAll(async () => {
      await mount.prepare?.()
      provider = await scriptedProvider({ models: ['gpt-4o', 'org/model'] })
    }, PREPARE_MS)
    afterAll(async () => {
      await Promise.all([...apps.values()].map(async (app) => (await app).close()))
      await provider.close()
      note(inject('mountTable'), mount.name, outcomes)
    })
    /** Each app is started when its first case comes, and serves all of them. */
    const app: Scene['app'] = (name) => {
      const running = apps.get(name) ?? mount.start(plansFor(provider.url)[name])
      apps.set(name, running)
      return running
    }
    for (const [index, { name, timeoutMs = 30_000, run }] of CASES.entries()) {
      it(name, { timeout: timeoutMs }, async ({ skip }) => {
        const reason = mount.without[name]
        outcomes[name] = reason === undefined ? 'failed' : { reason }
        if (reason !== undefined) skip(reason)
        provider.reset()
        await run(sceneOf({ mount, app, provider, user: `user${index}` }))
        outcomes[name] = 'passed'
      })
    }
    it('leaves out no case that there is not', ({ expect }) => {
      const names = CASES.map(({ name }) => name)
      expect(Object.keys(mount.without).filter((name) => !names.includes(name))).toEqual([])
    })
  })
}

/** A mount that cannot be tested on this machine: that, too, stands in the table. */
export function skipMount(name: string, reason: string): void {
  it(`${name}, every case`, ({ skip }) => {
    note(inject('mountTable'), name, Object.fromEntries(CASES.map((one) => [one.name, { reason }])))
    skip(reason)
  })
}
