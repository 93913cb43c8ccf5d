import { describe, expect, it } from 'vitest'
import { answerFilter } from '../../../packages/core/src/dlp/answers.js'
import { inspectContent } from '../../../packages/core/src/dlp/inspect.js'
import { createPolicy, type Inspection } from '../../../packages/core/src/dlp/policy.js'
import { contentOf, withTexts } from '../../../packages/core/src/dlp/texts.js'

const CARD = '4111 1111 1111 1111'
const policy = createPolicy({
  actions: { internal: 'redact', confidential: 'redact', restricted: 'redact' },
  answers: true,
})
const PIXELS = Buffer.from(Array.from({ length: 3_000 }, (_, at) => (at * 7919 + 13) % 251)).toString('base64')

function redacted(params: Record<string, unknown>): Record<string, unknown> {
  const { texts } = inspectContent(policy, contentOf(params)) as Inspection
  return texts === null ? params : withTexts(params, texts)
}

const say = (content: unknown) => ({ messages: [{ role: 'user', content }] })

describe('a string that says it is an image', () => {
  it.each([
    ['has a text behind it', `data:image/png;base64,${PIXELS} ${CARD}`],
    ['is a text', `data:image/png;base64,and then ${CARD}`],
    ['has a text before its end', `data:image/png;base64,${PIXELS.slice(0, 999)}= ${CARD}`],
    ['has a text in its type', `data:image/png;name="${CARD}";base64,${PIXELS}`],
    ['is too short for one', 'data:image/png;base64,4111111111111111'],
    ['has another card for a type', `data:image/4111-1111-1111-1111;base64,${PIXELS}`],
  ])('and %s is read', (_what, text) => {
    const clean = text.replace(/4111.?1111.?1111.?1111/, '[redacted credit_card]')
    expect(redacted(say(text))).toEqual(say(clean))
    const parts = [{ type: 'image_url', image_url: { url: text } }]
    expect(redacted(say(parts))).toEqual(say([{ type: 'image_url', image_url: { url: clean } }]))
    expect(contentOf(say(parts)).unreadable).toEqual(new Set(['image']))
  })

  it.each(['image/png', 'audio/mp3', 'application/pdf'])('and is one (%s) is not', (type) => {
    expect(contentOf(say(`data:${type};base64,${PIXELS}`)).texts).toEqual([])
  })

  it('costs next to nothing where it is one', () => {
    const text = `data:image/png;base64,${PIXELS.repeat(260)}`
    expect(text.length).toBeGreaterThan(1_000_000)
    const best = Math.min(
      ...Array.from({ length: 5 }, () => {
        const began = performance.now()
        contentOf(say(text))
        return performance.now() - began
      }),
    )
    expect(best).toBeLessThan(5)
  })

  it('is read to its end in fields that hold base64 too', () => {
    const audio = (data: string) => say([{ type: 'input_audio', input_audio: { data, format: 'wav' } }])
    expect(redacted(audio(`${PIXELS} ${CARD}`))).toEqual(audio(`${PIXELS} [redacted credit_card]`))
    expect(contentOf(audio(`${PIXELS} ${CARD}`)).unreadable).toEqual(new Set(['audio']))
    expect(contentOf(audio(PIXELS)).texts).toEqual([{ text: 'wav', isJson: false }])
  })

  it('is read in answers too, and overtakes nothing in a stream', () => {
    const text = `data:image/png;base64,${PIXELS} ${CARD}`
    const clean = `data:image/png;base64,${PIXELS} [redacted credit_card]`
    expect(answerFilter(policy, new Map())!.choice(0, { message: { content: text } }).message).toEqual({
      content: clean,
    })
    const filter = answerFilter(policy, new Map())!
    let told = ''
    for (const content of ['It is x41', text, '.']) {
      told += (filter.piece(0, { delta: { content } }).now.delta as { content: string }).content
    }
    expect(told + (filter.rest()[0]?.delta.content ?? '')).toBe(`It is x41${clean}.`)
  })
})
