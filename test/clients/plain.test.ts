import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { describeClient } from './ways.js'

const body = (more: object = {}) =>
  JSON.stringify({ model: 'demo', messages: [{ role: 'user', content: 'What are you?' }], ...more })

describeClient('plain fetch', (reached) => {
  const post = (text: string, signal: AbortSignal | null = null) => {
    const { baseURL, apiKey, fetch } = reached().alice
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
    return fetch(`${baseURL}/chat/completions`, { method: 'POST', headers, body: text, signal })
  }

  it('gets a plain answer', async () => {
    const answer = await post(body())
    expect(await answer.json()).toMatchObject({ object: 'chat.completion', usage: { provider: 'demo' } })
    expect(answer.headers.get('x-hoosh-route')).toBe('demo')
  })

  it('reads a stream line by line', async () => {
    const data: string[] = []
    let rest = ''
    for await (const text of (await post(body({ stream: true }))).body!.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      data.push(...lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)))
    }
    expect(data.pop()).toBe('[DONE]')
    const said = data.map((one) => JSON.parse(one).choices[0]?.delta?.content ?? '').join('')
    expect(said).toMatch(/demo/)
  })

  it('is told what is wrong with a request', async () => {
    const answer = await post('{"model":"demo",')
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: 'invalid_json' } }])
  })

  it('cancels a stream, which stops the provider', async () => {
    const { provider, settled } = reached()
    provider.script({ tokens: 5_000, everyMs: 5 })
    const reader = (await post(body({ model: 'gpt-4o', stream: true }))).body!.getReader()
    await reader.read()
    await reader.cancel()
    await provider.requests[0]!.aborted
    await settled()
  })
})

const hasCurl = (() => {
  try {
    return execFileSync('curl', ['--version']).length > 0
  } catch {
    return false
  }
})()

describeClient('curl', (reached) => {
  const curl = async (...args: string[]) => {
    const { baseURL, apiKey } = reached().alice
    const headers = ['-H', `authorization: Bearer ${apiKey}`, '-H', 'content-type: application/json']
    return (await promisify(execFile)('curl', ['-sS', `${baseURL}/chat/completions`, ...headers, ...args])).stdout
  }

  it('asks and streams', async ({ skip }) => {
    if (!hasCurl) skip('there is no curl on this machine')
    if (reached().alice.apiKey === 'in-process') skip('curl is another process: there is nothing to call in this one')
    expect(JSON.parse(await curl('-d', body()))).toMatchObject({ object: 'chat.completion' })
    expect(await curl('-N', '-d', body({ stream: true }))).toMatch(/^data: \{[\s\S]*\n\ndata: \[DONE\]\n\n$/)
    expect(await curl('-I', '-X', 'HEAD')).toMatch(/^HTTP\/1\.1 405 /)
    // Above a megabyte curl waits for "100 Continue" before it sends.
    const large = body({ messages: [{ role: 'user', content: 'x'.repeat(1_500_000) }] })
    const { stdout } = await withInput(reached().alice, large)
    expect(JSON.parse(stdout)).toMatchObject({ object: 'chat.completion' })
  })
})

function withInput(
  { baseURL, apiKey }: { baseURL: string; apiKey: string },
  input: string,
): Promise<{ stdout: string }> {
  const headers = ['-H', `authorization: Bearer ${apiKey}`, '-H', 'content-type: application/json']
  const running = promisify(execFile)('curl', ['-sS', `${baseURL}/chat/completions`, ...headers, '--data-binary', '@-'])
  running.child.stdin!.end(input)
  return running
}
