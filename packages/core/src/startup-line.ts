import type { Engine } from './inference/engine.js'

/**
 * One line that says what is on, and a warning for each thing that is dangerous.
 *
 * @param mounts what each has to warn of; null of one that says who calls, and then none need
 */
export function sayHello(engine: Engine, mounts: ReadonlySet<string | null>): void {
  const { router, storage, audit, settings, logger } = engine
  const providers = router.routes.map(
    ({ name, type, enabled }) => `${name}${name === type ? '' : ` (${type})`}${enabled ? '' : ' (off)'}`,
  )
  logger.info(
    {
      providers,
      storage: storage.describe ?? "the host's own",
      audit: audit === null ? 'off' : audit.status().signed ? 'signed' : 'unsigned',
      enforcement: settings.budget.enforcement,
    },
    'hoosh is ready',
  )
  const ofMounts = mounts.has(null) ? [] : [...mounts].filter((warning) => warning !== null)
  for (const warning of [...warningsOf(engine), ...ofMounts]) logger.warn({}, warning)
}

function warningsOf({ router, storage, audit, settings }: Engine): string[] {
  const warnings: string[] = []
  const isMemory = storage.describe === 'memory'
  if (isMemory && process.env.NODE_ENV === 'production') {
    warnings.push('Budgets are kept in memory: they are per process and gone with it. Give `storage` a database.')
  }
  if (isMemory && process.env.NODE_UNIQUE_ID !== undefined) {
    warnings.push('Several workers with budgets in memory: each worker has its own. Give `storage` a database.')
  }
  if (audit !== null && !audit.status().signed)
    warnings.push('The audit log is unsigned: set `audit.key` so that changes to it can be proved.')
  if (audit === null) warnings.push('The audit log is off.')
  if (router.routes.every(({ type }) => type === 'demo'))
    warnings.push(
      'Only the built-in demo answers: give `providers` a real one, or set its key, such as OPENAI_API_KEY.',
    )
  if (settings.dev) warnings.push('`dev` is on: on mounts that see no socket everybody is served as `anonymous`.')
  return warnings
}
