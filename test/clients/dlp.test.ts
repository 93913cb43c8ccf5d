import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { door, upstream } from '../support/door.js'
import { people } from '../support/mounts.js'

const MAIL = 'ada.lovelace@example.org'

describe.each([false, true])('a tool loop of the openai package, pseudonymised (stream: %s)', (stream) => {
  it('runs the tool with the values, while the provider sees stand-ins alone', async () => {
    const provider = await upstream()
    const to = await door({
      providers: [{ type: 'openai', baseUrl: provider.url, apiKey: 'sk-test' }],
      dlp: { actions: { internal: 'pseudonymise' } },
    })
    const openai = new OpenAI({ baseURL: `${to.url}/v1`, apiKey: people.alice.token, maxRetries: 0 })
    provider.script(
      { toolCall: { name: 'send_mail', arguments: '{"to":"[EMAIL-1]","cc":"[EMAIL-2]","text":"Hi [EMAIL-1]"}' } },
      { text: 'Sent to [EMAIL-1] ; [EMAIL-2] was told and [EMAIL-3] will be.' },
    )
    const sent: unknown[] = []
    const runner = openai.chat.completions.runTools({
      model: 'gpt-4o',
      stream,
      messages: [{ role: 'user', content: `Write to ${MAIL} and copy bob@example.org.` }],
      tools: [
        {
          type: 'function',
          function: {
            name: 'send_mail',
            description: 'Sends a mail, from office@example.org.',
            parameters: { type: 'object', properties: { to: { type: 'string' } } },
            parse: JSON.parse,
            function(args: object) {
              sent.push(args)
              return `Delivered to ${MAIL}; postmaster@example.com says hello.`
            },
          },
        },
      ],
    } as never) as unknown as { finalContent(): Promise<string | null> }
    const final = await runner.finalContent()

    // The tool's description comes first, so that the numbers of a growing conversation stay.
    const [first, second] = provider.requests.map(({ body }) => JSON.stringify(body))
    for (const request of [first!, second!]) expect(request).not.toMatch(/@example/)
    expect(first).toContain('Sends a mail, from [EMAIL-1].')
    expect(first).toContain('Write to [EMAIL-2] and copy [EMAIL-3].')
    expect(sent).toEqual([{ to: 'office@example.org', cc: MAIL, text: 'Hi office@example.org' }])
    expect(second).toContain(JSON.stringify('{"to":"[EMAIL-1]","cc":"[EMAIL-2]","text":"Hi [EMAIL-1]"}'))
    expect(second).toContain('Delivered to [EMAIL-2]; [EMAIL-4] says hello.')
    expect(final).toBe(`Sent to office@example.org ; ${MAIL} was told and bob@example.org will be.`)
    expect(JSON.stringify([to.events, to.logged, (await to.get('/v1/audit')).body])).not.toMatch(/@example/)
  })
})
