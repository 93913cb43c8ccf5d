import type { NextHoosh } from '@hoosh/next'
import { hostAnswer } from '../../../../../plan'
import { below } from '../../../lib/gateways'

/** Several gateways below paths of their own: what hoosh does not answer there is a page of the host. */
async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  const ai = below.get(`/${pathname.split('/')[1]}`)
  if (ai === undefined) return new Response('not here', { status: 404 })
  if (!pathname.endsWith('/whoami')) return ai.handlers[request.method as keyof NextHoosh['handlers']](request)
  const context = await ai.context(request)
  return new Response((await hostAnswer(pathname, () => context)).text)
}

export { answer as DELETE, answer as GET, answer as HEAD, answer as OPTIONS, answer as POST, answer as PUT }
