import { HooshError } from '../errors.js'
import type { GatewayReply } from '../exchange.js'
import { refusalOf } from './allowed.js'
import { noteRefusal } from './begin.js'
import type { Call } from './call.js'
import type { Engine } from './engine.js'
import { answerPlain } from './plain.js'
import { answerStreamed } from './streamed.js'

/**
 * The life of one call:
 *
 * 1. admit: pools of this identity, allowed models and tools, request rate, concurrency (`admit.ts`)
 * 2. inspect: the class of its content and what follows (`inspect.ts`); the host's `beforeCall` (`begin.ts`)
 * 3. lookup: answers that are known already have their place here
 * 4. fit: messages that do not fit the model's window have their place here
 * 5. reserve: estimate, and hold in every pool of the chain (`hold.ts`)
 * 6. attempt: candidates in order, failing over until the first byte (`attempt.ts`)
 * 7. relay: bytes to the caller, counted, cut off at the hold (`relay.ts`; whole answers `plain.ts`)
 * 8. settle: ledger, cost, audit, metrics, events, in every outcome (`settle.ts`)
 *
 * With an idempotency key the call is made once, and answered as often as it comes (`keyed/`).
 *
 * @throws HooshError of the step that refused or failed
 */
export function chat(engine: Engine, call: Call, key?: string): Promise<GatewayReply> {
  return key === undefined ? answer(engine, call) : once(engine, call, key)
}

/** The same for embeddings, which have no stream and no output to hold. */
export function embed(engine: Engine, call: Call, key?: string): Promise<GatewayReply> {
  return key === undefined ? answer(engine, call) : once(engine, call, key)
}

function answer(engine: Engine, call: Call): Promise<GatewayReply> {
  return call.stream ? answerStreamed(engine, call) : answerPlain(engine, call)
}

async function once(engine: Engine, call: Call, key: string): Promise<GatewayReply> {
  // Refused as ever, rather than answered with what another credential of this user was given.
  if (refusalOf(call) !== null) return answer(engine, call)
  try {
    return await engine.keyed.answer(call, key, (own) => answer(engine, own))
  } catch (error) {
    // Whatever the call itself was refused with has been told of.
    if (error instanceof HooshError && error.code.startsWith('idempotency_')) await noteRefusal(engine, call, error)
    throw error
  }
}
