import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { serve } from './serve.js'

/** Serves the built app in `next-app/`, as a custom server of Next.js does; `below` is where in it the calls go. */
export async function serveNext(below = ''): Promise<void> {
  Object.assign(process.env, { NODE_ENV: 'production' }) // read when Next is loaded
  const next: typeof import('next').default = createRequire(import.meta.url)('next')
  const app = next({ dev: false, dir: fileURLToPath(new URL('../../next-app/', import.meta.url)) })
  await app.prepare()
  const handle = app.getRequestHandler()
  serve((req, res) => {
    req.url = below + req.url
    void handle(req, res)
  })
}
