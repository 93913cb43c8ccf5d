// An app of web requests in a process of Bun or Deno: takes its plan from the environment, prints its address.
import { toFetchHandler } from '@hoosh/core/fetch'
import { gatewayOf, hostAnswer, settingsOf } from '../plan.ts'

const { parser, gateways } = JSON.parse(process.env.PLAN)
const mounts = gateways.map((plan) => {
  const gateway = gatewayOf({ ...plan, options: { ...plan.options, basePath: plan.path } })
  return { path: plan.path, handler: toFetchHandler(gateway, settingsOf(plan)) }
})

async function answer(request) {
  const { pathname } = new URL(request.url)
  const { handler } = mounts.find(({ path }) => pathname.startsWith(`${path}/`)) ?? mounts[0]
  if (pathname.endsWith('/whoami')) {
    const { text } = await hostAnswer(pathname, () => handler.context(request))
    return new Response(text)
  }
  if (parser === 'json') await request.clone().text()
  return handler(request)
}

if (globalThis.Bun === undefined) {
  const server = Deno.serve(
    { hostname: '127.0.0.1', port: 0, onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`) },
    answer,
  )
  await server.finished
} else {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, idleTimeout: 60, fetch: answer })
  console.log(`http://127.0.0.1:${server.port}`)
}
