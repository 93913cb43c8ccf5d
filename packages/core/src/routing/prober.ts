import { asHooshError } from '../errors.js'
import type { Clock } from '../time.js'
import { beReadyForTrial, recordFailure } from './circuit.js'
import type { Route } from './route.js'

/** Longest time that a provider has to list its models, ms. */
const PATIENCE_MS = 10_000

/** What says nothing about whether a provider works: it answered. */
const ANSWERED = new Set(['provider_auth', 'provider_rate_limited', 'provider_rejected'])

/** Asks routes for their models now and then, so that a failure is known before a call meets it, and its end too. */
export interface Prober {
  /** One round over the routes there are now. Those whose last probe has not ended are left out. */
  round(routes: readonly Route[]): Promise<void>
}

/**
 * Feeds the circuits that calls feed. A failed probe counts as a failed call; one that succeeds lets an open circuit have
 * its trial at once. It does not close it: a list of models proves little about answers.
 *
 * @param opened told of a route whose circuit a probe has opened
 */
export function createProber({ clock, opened }: { clock: Clock; opened(route: Route): void }): Prober {
  const asking = new Set<Route>()
  const probe = async (route: Route) => {
    if (asking.has(route)) return
    asking.add(route)
    try {
      await route.provider.models(AbortSignal.timeout(PATIENCE_MS))
      beReadyForTrial(route.circuit, clock())
    } catch (thrown) {
      if (ANSWERED.has(asHooshError(thrown).code)) beReadyForTrial(route.circuit, clock())
      else if (recordFailure(route.circuit, clock())) opened(route)
    } finally {
      asking.delete(route)
    }
  }
  return {
    async round(routes) {
      await Promise.all(routes.filter(({ enabled }) => enabled).map(probe))
    },
  }
}
