'use server'

import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'
import { ai } from '../lib/hoosh'
import { SESSION, sessionOf, USERS } from '../lib/session'

export async function signIn(form: FormData): Promise<void> {
  const user = USERS.find(({ id }) => id === form.get('user'))
  if (user !== undefined) (await cookies()).set(SESSION, sessionOf(user), { httpOnly: true, sameSite: 'lax' })
  redirect('/')
}

export async function signOut(): Promise<void> {
  ;(await cookies()).delete(SESSION)
  redirect('/')
}

/** Tokens of the day, as the signed-in user's pool has them. */
export interface Budget {
  left: number
  of: number
  /** Set aside for calls that are under way; what they do not use comes back. */
  held: number
}

/** A server action has no request, so the context finds the caller in `next/headers`. */
export async function readBudget(): Promise<Budget> {
  const { budget } = await ai.context()
  const [pool] = await budget.pools()
  return { left: pool?.available.tokens ?? 0, of: pool?.capacity.tokens ?? 0, held: pool?.held.tokens ?? 0 }
}
