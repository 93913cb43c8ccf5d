import { hookFailed } from '../errors.js'
import type { CallInfo, Hooks } from '../options.js'
import type { Awaitable } from '../time.js'
import { type Call, infoOf } from './call.js'
import type { Engine } from './engine.js'

/**
 * Asks the host whether a call may begin.
 *
 * @throws the HooshError that `beforeCall` throws, as it is; `hook_failed` for `invalid_options` and anything else
 */
export async function askHook(hooks: Hooks, call: Call): Promise<void> {
  try {
    await hooks.beforeCall?.(infoOf(call))
  } catch (thrown) {
    throw hookFailed('beforeCall', thrown)
  }
}

/** Tells the host of a call and waits for it; what its hook throws is logged and changes nothing. */
export async function tellHook(
  engine: Engine,
  call: Call,
  hook: 'afterCall' | 'onChunk' | 'onError',
  tell: (hooks: Hooks, info: CallInfo) => Awaitable<void> | undefined,
): Promise<void> {
  const { hooks } = engine.settings
  if (hooks === undefined) return
  try {
    await tell(hooks, infoOf(call))
  } catch (err) {
    engine.logger.error({ requestId: call.requestId, err }, `the hook \`${hook}\` of the host threw`)
  }
}
