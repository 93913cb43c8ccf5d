import { headers } from 'next/headers'
import { ai } from '../../lib/gateways'

async function summarise(form: FormData): Promise<void> {
  'use server'
  const { chat } = await ai.context()
  await chat({ model: 'gpt-4o', messages: [{ role: 'user', content: String(form.get('text')) }] })
}

/** A page and a server action, which are bundled apart from the routes and have to find the same gateway. */
export default async function Page() {
  await headers()
  const { budget } = await ai.context()
  const [pool] = await budget.pools()
  return (
    <form action={summarise}>
      <output>{pool?.used.tokens} used</output>
      <input name="text" />
      <button type="submit">Summarise</button>
    </form>
  )
}
