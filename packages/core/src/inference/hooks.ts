import type { CallInfo, Hooks } from '../options.js'
import type { Awaitable } from '../time.js'
import { type Call, infoOf } from './call.js'
import type { Engine } from './engine.js'

/** Tells the host of a call and waits for it; what its hook throws is logged and changes nothing. */
export async function tellHook(
  engine: Engine,
  call: Call,
  tell: (hooks: Hooks, info: CallInfo) => Awaitable<void> | undefined,
): Promise<void> {
  const { hooks } = engine.settings
  if (hooks === undefined) return
  try {
    await tell(hooks, infoOf(call))
  } catch (err) {
    engine.logger.error({ requestId: call.requestId, err }, 'a hook of the host threw')
  }
}
