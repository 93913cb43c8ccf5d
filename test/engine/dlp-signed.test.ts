import { expect, it } from 'vitest'
import { chat, door, upstream } from '../support/door.js'

const CARD = '4111 1111 1111 1111'
const SIGNATURE = 'aB3+'.repeat(40)

/** A conversation whose first answer thinks of a card; what its second request told the provider. */
async function askedAgain(stream: boolean, dlp: object) {
  const away = await upstream()
  const to = await door({ providers: [{ type: 'openai', baseUrl: away.url, apiKey: 'sk-test' }], dlp })
  const said = { type: 'reasoning.text', index: 0, text: `It is ${CARD}.` }
  const signed = { ...said, text: '', signature: SIGNATURE }
  const choice = (delta: object, finish: string | null = null) =>
    `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
  const pieces = [{ reasoning_details: [said] }, { reasoning_details: [signed] }, { content: 'Done.' }]
  const events = pieces.map((delta) => choice(delta)).join('') + choice({}, 'stop')
  const message = { role: 'assistant', content: 'Done.', reasoning_details: [{ ...said, signature: SIGNATURE }] }
  if (stream) away.script({ replay: { body: `${events}data: [DONE]\n\n`, contentType: 'text/event-stream' } })
  else away.script({ body: { id: 'c', choices: [{ index: 0, message, finish_reason: 'stop' }] } })
  const reply = await chat(to, 'm', { stream })
  const kept = stream ? together(reply.text) : (reply.body as { choices: [{ message: object }] }).choices[0].message
  await chat(to, 'm', { messages: [{ role: 'user', content: 'Hi' }, kept, { role: 'user', content: 'Go on.' }] })
  return { kept, sent: (away.requests[1]!.body as { messages: object[] }).messages[1] }
}

/** A streamed answer as a client keeps it. */
function together(text: string): object {
  const details = { type: 'reasoning.text', text: '', signature: '' }
  let content = ''
  for (const event of text.split('\n\n').filter((one) => one.startsWith('data: {'))) {
    const { delta = {} } = JSON.parse(event.slice(6)).choices[0] ?? {}
    content += delta.content ?? ''
    for (const one of delta.reasoning_details ?? []) {
      details.text += one.text ?? ''
      details.signature += one.signature ?? ''
    }
  }
  return { role: 'assistant', content, reasoning_details: [details] }
}

it.each([false, true])('signed reasoning that was redacted does not go back (stream: %s)', async (stream) => {
  const { kept, sent } = await askedAgain(stream, { answers: true })
  expect(kept).toMatchObject({ reasoning_details: [{ text: 'It is [redacted credit_card].', signature: SIGNATURE }] })
  expect(sent).toEqual({ role: 'assistant', content: 'Done.' })
})

it.each([false, true])('nor where it is redacted on its way back (stream: %s)', async (stream) => {
  const { kept, sent } = await askedAgain(stream, { actions: { restricted: 'redact' } })
  expect(kept).toMatchObject({ reasoning_details: [{ text: `It is ${CARD}.`, signature: SIGNATURE }] })
  expect(sent).toEqual({ role: 'assistant', content: 'Done.' })
})

it('signed reasoning goes back as it came where its values have stand-ins, or it only speaks of a redaction', async () => {
  const away = await upstream()
  const to = await door({
    providers: [{ type: 'openai', baseUrl: away.url, apiKey: 'sk-test' }],
    dlp: { actions: { restricted: 'pseudonymise', internal: 'redact' } },
  })
  const thought = (text: string) => ({ type: 'reasoning.text', text, signature: SIGNATURE })
  const message = (text: string) => ({ role: 'assistant', content: 'Done.', reasoning_details: [thought(text)] })
  const mine = { role: 'user', content: `Take ${CARD}, and tell ada@example.org.` }
  await chat(to, 'm', { messages: [mine, message(`It is ${CARD}, for [redacted email].`)] })
  expect(away.requests[0]?.body).toMatchObject({
    messages: [
      { content: 'Take [CREDIT-CARD-1], and tell [redacted email].' },
      message('It is [CREDIT-CARD-1], for [redacted email].'),
    ],
  })
})
