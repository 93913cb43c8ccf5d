import { createHmac, timingSafeEqual } from 'node:crypto'

/** A person who can sign in here. */
export interface User {
  id: string
  name: string
}

/** Anybody may sign in as either: a login as simple as one can be, with a session that is a real one. */
export const USERS: readonly User[] = [
  { id: 'ada', name: 'Ada' },
  { id: 'grace', name: 'Grace' },
]

export const SESSION = 'session'

const secret = process.env.SESSION_SECRET ?? 'known to everybody who has read this file'

/** What the cookie holds: who, and a signature that only this app can make. */
export function sessionOf({ id }: User): string {
  return `${id}.${createHmac('sha256', secret).update(id).digest('base64url')}`
}

/** Who sent a request, by its cookie. */
export function userOf(request: Request): User | null {
  const cookies = request.headers.get('cookie') ?? ''
  return signedIn(new RegExp(`(?:^|; )${SESSION}=([^;]+)`).exec(cookies)?.[1])
}

/** Whose session this is; null where nobody made it here. */
export function signedIn(session: string | undefined): User | null {
  const user = USERS.find(({ id }) => session?.startsWith(`${id}.`))
  if (user === undefined) return null
  const [given, right] = [Buffer.from(session!), Buffer.from(sessionOf(user))]
  return given.length === right.length && timingSafeEqual(given, right) ? user : null
}
