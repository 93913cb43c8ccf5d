import { expect } from 'vitest'
import { type Case, question } from '../case.js'
import { LOGIN_SECRET } from '../plan.js'

export const CALLERS: readonly Case[] = [
  {
    name: 'nobody gets 401, and nothing is sent for them',
    async run({ send, provider }) {
      const response = await send('/v1/chat/completions', { body: question(), headers: { authorization: 'Bearer x' } })
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      expect(await response.json()).toMatchObject({ error: { code: 'unauthenticated', type: 'authentication_error' } })
      expect(provider.bill.attempts).toBe(0)
    },
  },
  {
    name: 'where `identify` throws the answer is 500, and why stays in the log',
    async run({ send }) {
      const response = await send('/throws/v1/models', { plan: 'many' })
      const text = await response.text()
      expect([response.status, JSON.parse(text).error.code]).toEqual([500, 'identify_failed'])
      expect(text).not.toContain(LOGIN_SECRET)
    },
  },
  {
    name: 'a HooshError of `identify` is answered as it is',
    async run({ send }) {
      const response = await send('/refuses/v1/models', { plan: 'many' })
      expect(response.status).toBe(503)
      expect(await response.json()).toMatchObject({
        error: { code: 'store_unavailable', message: 'The session store does not answer.' },
      })
    },
  },
  {
    name: 'without `identify` callers on this machine are served, or nobody where the mount sees no socket',
    async run({ send, mount }) {
      const response = await send('/absent/v1/models', { plan: 'many' })
      if (mount.seesSocket) {
        expect(response.status).toBe(200)
        const forwarded = await send('/absent/v1/models', { plan: 'many', headers: { 'x-forwarded-for': '10.0.0.1' } })
        expect(forwarded.status).toBe(401)
      } else {
        expect(response.status).toBe(401)
        expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining('`identify`') } })
      }
    },
  },
  {
    name: "the host's own handlers have the caller's context",
    async run({ send, user }) {
      expect(await (await send('/whoami')).json()).toMatchObject({ user, pool: `user:${user}` })
      expect(await (await send('/b/whoami', { plan: 'many' })).json()).toMatchObject({ user })
      const nobody = await send('/whoami', { headers: { authorization: '' } })
      expect(await nobody.json()).toEqual({ code: 'unauthenticated' })
      expect(await (await send('/throws/whoami', { plan: 'many' })).json()).toEqual({ code: 'identify_failed' })
    },
  },
  {
    name: 'an error of hoosh that a handler lets pass becomes the answer of the framework',
    async run({ send }) {
      const response = await send('/unguarded', { headers: { authorization: '' } })
      expect([response.status, response.headers.get('content-type')]).toEqual([401, expect.stringMatching(/^text\//)])
      expect((await send('/unguarded')).status).toBe(200) // the app has survived it
    },
  },
]
