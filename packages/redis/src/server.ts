import { type Finding, HooshError } from '@hoosh/core/storage'
import type { RunScript } from './client.js'
import type { Patience } from './patience.js'
import type { Script } from './scripts/script.js'
import { FOUND, INSPECT } from './scripts/server.js'

/** What a script answered: a word, and what belongs to it. */
export type Reply = readonly [word: string, ...rest: unknown[]]

/** The server, spoken to by scripts. */
export interface Server {
  /** @throws HooshError `store_unavailable`; whatever the driver said is its cause */
  run(
    script: Script,
    args: readonly string[],
    how?: { readonly key?: string; readonly silentMs?: number },
  ): Promise<Reply>
  /** The server's clock, at the latest. */
  time(): number
  /** How long after it was sent a step may still be taken, ms: a little longer than its answers take now. */
  graceMs(): number
  readonly silentMs: number
}

/**
 * @param root the key that all keys begin with
 * @param silentMs how long the server may say nothing before it counts as away
 */
export function serverOn(
  run: RunScript,
  { root, silentMs, patience }: { root: string; silentMs: number; patience: Patience },
): Server {
  return {
    silentMs,
    time: () => patience.serverTime(),
    graceMs: () => silentMs + 2 * patience.lagMs(),
    async run(script, args, how) {
      const sentAt = performance.now()
      try {
        const [time, ...reply] = (await patience.answer(
          run(script, how?.key ?? root, args),
          how?.silentMs ?? silentMs,
        )) as [string, ...Reply]
        patience.noteTime(Number(time), sentAt)
        return reply
      } catch (error) {
        if (error instanceof HooshError) throw error
        throw new HooshError('store_unavailable', { message: messageOf(error), cause: error })
      }
    },
  }
}

/** Trying again does not help by itself. */
const REFUSED = /^(NOAUTH|NOPERM|OOM|MISCONF|READONLY|NOREPLICAS)\b/

function messageOf(error: unknown): string {
  const word = REFUSED.exec(String((Object(error) as { message?: unknown }).message))?.[1]
  if (word === undefined) return 'Redis does not take this; try again.'
  return `Redis refuses what is asked of it (${word}): look at the rights of its user, its memory and disk, and whether it is the primary.`
}

/** The version of the keys' layout, kept at the root. */
export const SCHEMA = '1'

/** The oldest Redis whose scripts can say what they need. */
const OLDEST = 7

/**
 * Looks at the server before a ledger is kept on it, and founds the ledger where there is none.
 *
 * @throws HooshError `not_ready` that says what to set, `store_unavailable`
 */
export async function openLedger(server: Server, { allowVolatile }: { allowVolatile: boolean }): Promise<void> {
  const [, version, policy, appends] = await server.run(INSPECT, [], { silentMs: 10 * server.silentMs })
  if (Number.parseInt(String(version), 10) < OLDEST)
    throw notReady(`This is Redis ${String(version)}; budgets need Redis 7 or Valkey.`)
  if (policy !== 'noeviction') {
    throw notReady(
      `This Redis forgets keys when its memory is full (maxmemory-policy ${String(policy)}), so it would forget budgets. Set maxmemory-policy to noeviction.`,
    )
  }
  if (appends !== '1' && !allowVolatile) {
    throw notReady(
      'This Redis keeps no append-only file, so a restart would forget what was spent. Set appendonly to yes, or pass allowVolatile: true to redisStorage.',
    )
  }
  const [, schema] = await server.run(FOUND, [SCHEMA], { silentMs: 10 * server.silentMs })
  if (schema !== SCHEMA) throw otherSchema(String(schema))
}

/** What of the server's settings may lose what was acknowledged. */
export async function settingsOf(server: Server): Promise<Finding[]> {
  const [, version, policy, appends] = await server.run(INSPECT, [], { silentMs: 10 * server.silentMs })
  const findings: Finding[] = []
  if (Number.parseInt(String(version), 10) < OLDEST)
    findings.push({ code: 'setting', what: 'The version of Redis', found: String(version), expected: '7 or newer' })
  if (policy !== 'noeviction')
    findings.push({ code: 'setting', what: 'maxmemory-policy', found: String(policy), expected: 'noeviction' })
  if (appends !== '1') findings.push({ code: 'setting', what: 'appendonly', found: 'no', expected: 'yes' })
  return findings
}

export function otherSchema(found: string): HooshError {
  return notReady(
    found === ''
      ? 'The ledger in Redis is gone: it was flushed, or another server took over that has none. Start the gateway anew to begin a new one.'
      : `The ledger in Redis has version ${found} of its keys, this package knows ${SCHEMA}. Use the package that wrote it, or another prefix.`,
  )
}

function notReady(message: string): HooshError {
  return new HooshError('not_ready', { message })
}
