// Logins and frameworks that the recipes of docs/hosts.md use and that are not installed here, as far as the recipes use
// them. The recipes were compiled against the libraries themselves when they were written.

declare module '@jest/globals' {
  export function test(name: string, run: () => Promise<void>): void
}

declare module 'passport' {
  const passport: { session(): import('express').RequestHandler }
  export default passport
}

declare module 'express-session' {
  export interface SessionData {
    cookie: object
  }
  interface Options {
    secret: string
    resave?: boolean
    saveUninitialized?: boolean
    cookie?: { sameSite?: 'strict' | 'lax' }
  }
  global {
    namespace Express {
      interface Request {
        session: Partial<SessionData>
      }
    }
  }
  export default function session(options: Options): import('express').RequestHandler
}

declare module 'express-jwt' {
  export function expressjwt(options: {
    secret: string
    algorithms: string[]
    credentialsRequired?: boolean
  }): import('express').RequestHandler
}

declare module 'koa-jwt' {
  export default function jwt(options: { secret: string; passthrough?: boolean }): import('koa').Middleware
}

declare module '@auth/express' {
  export interface ExpressAuthConfig {
    providers: readonly object[]
  }
  interface Session {
    user?: { email?: string | null }
  }
  export function getSession(request: import('express').Request, config: ExpressAuthConfig): Promise<Session | null>
}

declare module 'better-auth' {
  interface Auth {
    api: { getSession(asked: { headers: Headers }): Promise<{ user: { id: string } } | null> }
  }
  export function betterAuth(options: object): Auth
}

declare module 'jose' {
  type Keys = (header: object) => Promise<object>
  interface Verified {
    payload: { sub?: string }
  }
  export function createRemoteJWKSet(url: URL): Keys
  export function jwtVerify(token: string, keys: Keys, options: { issuer: string }): Promise<Verified>
}

declare module '@nestjs/core' {
  interface Application {
    use(middleware: unknown): void
    listen(port: number): Promise<void>
  }
  export const NestFactory: { create(module: object): Promise<Application> }
}

declare module 'fastify' {
  interface Hooked {
    url: string
    raw: import('node:http').IncomingMessage
  }
  interface Reply {
    getHeaders(): Record<string, number | string | string[] | undefined>
    hijack(): void
    raw: import('node:http').ServerResponse
  }
  interface Instance {
    addHook(name: 'onRequest', hook: (request: Hooked, reply: Reply) => Promise<void>): void
    listen(options: { port: number }): Promise<string>
  }
  export default function Fastify(): Instance
}
