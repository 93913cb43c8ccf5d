import { hostAnswer } from '../../../../plan'
import { ai } from '../../lib/gateways'

/** Without a request: the caller is found in `next/headers`. */
export async function GET(): Promise<Response> {
  const context = await ai.context()
  return new Response((await hostAnswer('/whoami', () => context)).text)
}
