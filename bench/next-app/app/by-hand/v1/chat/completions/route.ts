import { Readable } from 'node:stream'
import { request } from 'undici'
import { CHAT_PATH } from '../../../../../../dist/payload.js'
import { upstreamUrl } from '../../../../../../dist/servers/serve.js'

// What a team writes by hand: parse, look, stringify, forward.

export async function POST(asking: Request): Promise<Response> {
  const asked = await asking.json()
  const answer = await request(upstreamUrl + CHAT_PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer sk-bench' },
    body: JSON.stringify(asked),
    signal: asking.signal,
  })
  if (asked.stream !== true) return Response.json(await answer.body.json())
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' }
  return new Response(Readable.toWeb(answer.body) as ReadableStream, { headers })
}
