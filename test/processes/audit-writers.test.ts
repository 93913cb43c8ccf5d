import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { verifyAuditLog } from '@hoosh/core/audit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { exportOf } from '../../packages/core/src/audit/export.js'
import { createVerifier } from '../../packages/core/src/audit/verifier.js'
import { child, killed } from '../support/children.js'
import { DATABASES } from '../support/databases.js'

const PROCESSES = 4
const LOGS = 4
const ENTRIES = process.env.HOOSH_LONG === '1' ? 6_250 : 25
const KEY = 'a key of this test alone'
const script = new URL('./audit-child.mjs', import.meta.url)
const { privateKey } = generateKeyPairSync('ed25519')
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string

describe.each(DATABASES)(`16 logs in ${PROCESSES} processes on one $name`, ({ missing, make }) => {
  it.skipIf(missing !== null).each(['process', 'shared'])(
    `with a chain per %s write ${16 * ENTRIES} entries without fork or gap`,
    { timeout: 1_800_000 },
    async (chain) => {
      const database = make()
      onTestFinished(() => database.remove())
      const { place, file } = database
      const folder = dirname(file)
      const options = { folder, place, pem, began: Date.now(), mode: 'fill', chain, logs: LOGS, entries: ENTRIES }
      const began = performance.now()
      await Promise.all(
        Array.from({ length: PROCESSES }, async () => {
          const { process: running } = await child(script, [JSON.stringify(options)])
          onTestFinished(() => killed(running))
          if (running.exitCode === null) await once(running, 'exit')
          expect(running.exitCode).toBe(0)
        }),
      )
      const tookMs = performance.now() - began

      const { audit: store } = await database.open()
      const lines: string[] = []
      for await (const piece of await exportOf(store, {}))
        lines.push(...piece.split('\n').filter((line) => line !== ''))
      const { verdict, writers, firstBad } = verifyAuditLog(lines, { key: KEY })
      // Each has its boot, and where a chain is its own, its seal. One that starts may link what another has just staged.
      const logs = chain === 'process' ? 16 : 1
      expect({ verdict, firstBad, logs: writers.length }).toEqual({ verdict: 'ok', firstBad: null, logs })
      for (const { first, last, entries } of writers) expect([first, last]).toEqual([1, entries])
      expect(lines).toHaveLength(16 * (ENTRIES + (chain === 'process' ? 2 : 1)))
      const ids = lines.map((line) => (JSON.parse(line) as { id: string }).id)
      const acknowledged = readFileSync(`${folder}/acknowledged`, 'utf8').trim().split('\n')
      expect([new Set(ids).size, acknowledged.length]).toEqual([ids.length, 16 * ENTRIES])
      const known = new Set(ids)
      expect(acknowledged.filter((id) => !known.has(id))).toEqual([])
      const verifier = createVerifier({ store, key: KEY, clock: Date.now })
      await verifier.scrub()
      expect(verifier.state()).toMatchObject({ valid: true })
      if (ENTRIES > 1_000)
        console.log(`${lines.length} entries, ${Math.round((lines.length * 1_000) / tookMs)} a second`)
    },
  )
})
