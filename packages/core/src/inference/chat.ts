import type { GatewayReply } from '../exchange.js'
import type { Call } from './call.js'
import type { Engine } from './engine.js'
import { answerPlain } from './plain.js'
import { answerStreamed } from './streamed.js'

/**
 * The life of one call:
 *
 * 1. admit: pools of this identity, allowed models, request rate, concurrency (`admit.ts`)
 * 2. inspect: the class of its content and what follows (`inspect.ts`); the host's `beforeCall` (`begin.ts`)
 * 3. lookup: answers that are known already have their place here
 * 4. fit: messages that do not fit the model's window have their place here
 * 5. reserve: estimate, and hold in every pool of the chain (`hold.ts`)
 * 6. attempt: candidates in order, failing over until the first byte (`attempt.ts`)
 * 7. relay: bytes to the caller, counted, cut off at the hold (`relay.ts`; whole answers `plain.ts`)
 * 8. settle: ledger, cost, audit, metrics, events, in every outcome (`settle.ts`)
 *
 * @throws HooshError of the step that refused or failed
 */
export function chat(engine: Engine, call: Call): Promise<GatewayReply> {
  return call.stream ? answerStreamed(engine, call) : answerPlain(engine, call)
}

/** The same for embeddings, which have no stream and no output to hold. */
export function embed(engine: Engine, call: Call): Promise<GatewayReply> {
  return answerPlain(engine, call)
}
