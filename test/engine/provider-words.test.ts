import { expect, it } from 'vitest'
import { chat, door, upstream } from '../support/door.js'

const PHONE = '555-867-5309'

it.each([false, true])(
  'an error of a provider that quotes what it was asked is no record of it (stream: %s)',
  async (stream) => {
    const home = await upstream()
    const to = await door({
      providers: [{ type: 'openai', baseUrl: home.url, apiKey: 'sk-test', local: true, models: ['m'] }],
    })
    const error = { message: `The input "Call ${PHONE}." is too long.`, type: 'invalid_request_error', code: 'x' }
    const messages = [{ role: 'user', content: `Call ${PHONE}.` }]
    home.script({ status: 400, body: { error } })
    expect((await chat(to, 'm', { stream, messages })).text).toContain(PHONE)
    if (stream) {
      const event = { choices: [{ index: 0, delta: { content: 'Hi' } }] }
      const body = [event, { error }].map((data) => `data: ${JSON.stringify(data)}\n\n`).join('')
      home.script({ replay: { body, contentType: 'text/event-stream' } })
      await chat(to, 'm', { stream, messages })
    }
    const { body } = await to.get('/v1/audit?event=inference.error')
    const told = (body as { entries: { message: string }[] }).entries.map(({ message }) => message)
    const broken = 'The provider reported an error in the middle of its answer: invalid_request_error, x.'
    const refused = 'The provider "openai" refused the request (400): invalid_request_error, x.'
    expect(told).toEqual(stream ? [refused, broken] : [refused])
    expect(JSON.stringify([to.logged, to.events, (await to.get('/v1/audit')).text])).not.toContain(PHONE)
  },
)
