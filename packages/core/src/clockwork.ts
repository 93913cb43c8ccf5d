import type { Slices } from './budget/slices/sliced-store.js'
import type { Engine } from './inference/engine.js'
import { reportExpired } from './inference/expired.js'
import { sweepRuns } from './inference/runs.js'
import { createProber } from './routing/prober.js'
import type { Route } from './routing/route.js'

/** How often silent streams are looked for, ms. */
const PING_EVERY_MS = 5_000
/** Most overdue holds that one sweep ends. */
const SWEEP_LIMIT = 1_000

/** Heartbeats, sweeps and pings. Returns what stops them, and resolves when a sweep that is under way has told what it found. */
export function windUp(engine: Engine, slices: Slices | null): () => Promise<void> {
  const { renewMs, sweepMs, leaseMs } = engine.settings.budget
  const every = (ms: number, step: () => Promise<void> | void) => {
    const timer = setInterval(
      () => void Promise.resolve(step()).catch((err) => engine.logger.warn({ err }, 'a background step failed')),
      ms,
    )
    timer.unref()
    return timer
  }
  let sweeping: Promise<void> | undefined
  const timers = [
    every(renewMs, () => engine.running.renew(async (running) => engine.storage.budgets.renew(running, leaseMs))),
    every(renewMs, () => engine.keyed.renew()),
    every(renewMs, () => engine.limits.renew()),
    every(sweepMs, () => {
      sweeping ??= tidyUp(engine).finally(() => {
        sweeping = undefined
      })
      return sweeping
    }),
    every(PING_EVERY_MS, () => engine.running.ping(engine.clock())),
  ]
  if (slices !== null) timers.push(every(renewMs, slices.beat))
  const { probeEveryMs } = engine.settings.routing
  if (probeEveryMs !== undefined) {
    const opened = ({ name }: Route) => engine.events.emit({ type: 'route.health', route: name, healthy: false })
    const prober = createProber({ clock: engine.clock, opened })
    timers.push(every(probeEveryMs, () => prober.round(engine.router.routes)))
  }
  return async () => {
    timers.forEach(clearInterval)
    await sweeping?.catch(() => {})
  }
}

async function tidyUp(engine: Engine): Promise<void> {
  await sweep(engine)
  await engine.pools.refresh()
  await sweepRuns(engine)
  await engine.storage.sweep?.(engine.clock())
  await engine.vault?.tend()
}

/** Ends what is overdue and tells of it. */
export async function sweep(engine: Engine): Promise<void> {
  const { onExpire } = engine.settings.budget
  await reportExpired(engine, await engine.storage.budgets.expire({ limit: SWEEP_LIMIT, onExpire }))
}
