import type { Credentials } from './host.js'
import { identifyToken } from './identity/browser-token.js'
import { identifyKey } from './identity/issued.js'
import type { Engine } from './inference/engine.js'

/** Whose credentials are that hoosh has issued, asked of the engine, which is started on first use. */
export function credentialsOf(engine: () => Promise<Engine> | Engine): Credentials {
  return {
    async key(text, { address }) {
      const { storage, clock } = await engine()
      return identifyKey(storage.keys, text, { address, now: clock() })
    },
    async browserToken(text, page) {
      const { tokens, clock } = await engine()
      return tokens === null ? null : identifyToken(tokens, text, page, clock())
    },
  }
}
