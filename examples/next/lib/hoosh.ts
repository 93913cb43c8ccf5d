import { createHoosh } from '@hoosh/next'
import { userOf } from './session'

/** The gateway of this app: it knows who is signed in from the session's cookie, and what each may spend. */
export const ai = createHoosh({
  providers: [{ type: 'demo' }], // { type: 'openai', apiKey: '$OPENAI_API_KEY', models: ['gpt-*'] } for a real one
  identify: (request) => {
    const user = userOf(request)
    return user && { user: user.id, pool: `user:${user.id}` }
  },
  pools: { 'user:*': { tokens: 2_000, window: 'day' } },
})
