import { ERRORS, type ErrorCode, type ErrorDetails, HooshError } from '@hoosh/core'
import { describe, expect, it } from 'vitest'
import { errorReply } from '../../packages/core/src/error-body.js'

function replyTo(code: ErrorCode, details: ErrorDetails = {}, more: { message?: string; cause?: unknown } = {}) {
  const { status, headers, body } = errorReply(new HooshError(code, { details, ...more }), 'req-1')
  return { status, headers, error: (JSON.parse(body as string) as { error: Record<string, unknown> }).error }
}

describe('the answer to a request that failed', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])(
    "%s has the table's status and type, and OpenAI's four fields",
    (code) => {
      const { status, headers, error } = replyTo(code)
      expect(status).toBe(ERRORS[code][0])
      expect(error).toEqual({ message: ERRORS[code][2], type: ERRORS[code][1], code, param: null })
      expect(headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-store',
        'x-request-id': 'req-1',
      })
    },
  )

  it('names the pool that is empty, what it has left, and when it opens', () => {
    const details = { pool: 'team:red', available: 12, availableUsd: '0.5', resetsAt: null, retryAfterMs: 1_001 }
    const { headers, error } = replyTo('budget_exceeded', { ...details, retryable: false })
    expect(error).toMatchObject({ pool: 'team:red', available: 12, available_usd: '0.5', resets_at: null })
    expect(headers).toMatchObject({ 'retry-after': '2', 'x-should-retry': 'false' })
  })

  it('says nothing of a repetition where nothing is known of one', () => {
    const { headers } = replyTo('provider_error')
    expect(headers).not.toHaveProperty('retry-after')
    expect(headers).not.toHaveProperty('x-should-retry')
  })

  it('says how to sign in, and which methods there are', () => {
    expect(replyTo('unauthenticated').headers['www-authenticate']).toBe('Bearer')
    expect(replyTo('method_not_allowed', { allow: 'GET, PUT' }).headers.allow).toBe('GET, PUT')
  })

  it("passes on a provider's own status, type, code and field, a code of null included", () => {
    const upstream = { status: 422, type: 'their_type', code: null, param: 'top_p' }
    const { status, error } = replyTo('provider_rejected', { upstream, param: 'ours' })
    expect([status, error.type, error.code, error.param]).toEqual([422, 'their_type', null, 'top_p'])
    expect(replyTo('provider_rejected', { upstream: { status: 422 } }).error.code).toBe('provider_rejected')
  })

  it('shows neither the cause nor a stack', () => {
    const reply = JSON.stringify(replyTo('identify_failed', {}, { cause: new TypeError('postgres://u:secret@db') }))
    expect(reply).not.toContain('secret')
    expect(reply).not.toContain('.ts')
  })
})
