import { built, type NextApp, nextApp, started } from '../../support/next-app.js'
import type { Mount } from '../plan.js'

const WITHOUT: Mount['without'] = {
  'a body that the host has parsed': 'a web request has no place for it',
  'a body that the host keeps as it came': 'a web request has no place for it',
  'an error of hoosh that a handler lets pass becomes the answer of the framework':
    'Next answers 500 to whatever a route handler throws',
}

/** An app of Next.js: built before, and started for each plan. */
export function nextMountOf(name: string, app: NextApp, prepare: () => Promise<void>): Mount {
  return {
    name,
    hasNext: false,
    seesSocket: false,
    dropsLength: true,
    without: WITHOUT,
    prepare,
    start: (plan) =>
      started(app, { APP_PLAN: JSON.stringify(plan), ...(plan.compression === true && { COMPRESS: '1' }) }),
  }
}

const app = nextApp('test/mounts/apps/next-app')

export const next16Mount = nextMountOf('Next 16', app, () => built(app))
