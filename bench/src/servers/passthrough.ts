import { Agent, request } from 'undici'
import { serve, upstreamUrl } from './serve.js'

// The limit of what Node can do: bytes in, bytes out, nothing looked at.

const dispatcher = new Agent({ pipelining: 1 })

serve(async (req, res) => {
  const answer = await request(upstreamUrl + req.url, {
    dispatcher,
    method: 'POST',
    headers: {
      'content-type': req.headers['content-type'],
      'content-length': req.headers['content-length'],
      authorization: 'Bearer sk-bench',
    },
    body: req,
  })
  const { 'content-type': type, 'content-length': length } = answer.headers as Record<string, string>
  res.writeHead(
    answer.statusCode,
    length === undefined ? { 'content-type': type } : { 'content-type': type, 'content-length': length },
  )
  answer.body.on('error', () => res.destroy()).pipe(res)
  res.on('close', () => answer.body.destroy())
})
