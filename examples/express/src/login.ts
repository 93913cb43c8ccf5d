import { randomBytes } from 'node:crypto'
import type { NextFunction, Request, Response } from 'express'

/** A person who can sign in here. */
export interface User {
  id: string
  name: string
  isAdmin: boolean
}

declare module 'express-serve-static-core' {
  interface Request {
    user?: User
  }
}

/** A login as simple as one can be and still be honest: each person has a secret token, made anew at each start. */
export function demoLogin() {
  const people: User[] = [
    { id: 'ada', name: 'Ada', isAdmin: false },
    { id: 'grace', name: 'Grace', isAdmin: false },
    { id: 'admin', name: 'Admin', isAdmin: true },
  ]
  const byToken = new Map(people.map((user) => [`${user.id}-${randomBytes(9).toString('base64url')}`, user]))
  const tokens = Object.fromEntries([...byToken].map(([token, { id }]) => [id, token])) as Record<
    'ada' | 'grace' | 'admin',
    string
  >

  const middleware = (req: Request, _res: Response, next: NextFunction) => {
    const token = /^Bearer (\S+)$/i.exec(req.headers.authorization ?? '')?.[1]
    const user = token === undefined ? undefined : byToken.get(token)
    if (user !== undefined) req.user = user
    next()
  }
  return { tokens, middleware }
}
