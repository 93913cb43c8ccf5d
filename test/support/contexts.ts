import { createGateway, type Gateway, type HooshContext, type HooshOptions, type Identity } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { hoosh } from '@hoosh/express'
import express from 'express'
import { onTestFinished } from 'vitest'
import { serve } from './mounts.js'

/** Runs code of the host's with the context of a caller. */
export interface Inside {
  readonly gateway: Gateway
  run<Result>(use: (hoosh: HooshContext) => Promise<Result>): Promise<Result>
}

/** Every way to a context. */
export const WAYS: readonly { name: string; inside(who: Identity | null, options: HooshOptions): Promise<Inside> }[] = [
  {
    name: 'gateway.as, or a context of nobody',
    async inside(who, options) {
      const gateway = closing(createGateway(options))
      const context = who === null ? gateway.context({ identify: async () => null }) : gateway.as(who)
      return { gateway, run: (use) => use(context) }
    },
  },
  {
    name: 'req.hoosh of Express',
    async inside(who, options) {
      const gateway = closing(createGateway(options))
      const next: Next = {}
      const app = express().use(hoosh(gateway, { identify: () => who }))
      app.get('/run', async (req, res) => {
        await next.use!(req.hoosh)
        res.end()
      })
      const { url, close } = await serve(app)
      onTestFinished(close)
      return { gateway, run: runner(url, next) }
    },
  },
  {
    name: 'the context of a node:http handler',
    async inside(who, options) {
      const gateway = closing(createGateway(options))
      const next: Next = {}
      const handler = toNodeHandler(gateway, { identify: () => who })
      const { url, close } = await serve((req, res) => void next.use!(handler.context(req)).then(() => res.end()))
      onTestFinished(close)
      return { gateway, run: runner(url, next) }
    },
  },
]

function closing(gateway: Gateway): Gateway {
  onTestFinished(() => gateway.close({ timeoutMs: 0 }))
  return gateway
}

/** What the host's handler is to do with the next request. */
interface Next {
  use?: (hoosh: HooshContext) => Promise<void>
}

/** Runs code within a real request, and hands out what it came to. */
function runner(url: string, next: Next): Inside['run'] {
  return async <Result>(use: (hoosh: HooshContext) => Promise<Result>) => {
    const outcome: { result?: Result; thrown?: unknown } = {}
    next.use = async (context) => {
      try {
        outcome.result = await use(context)
      } catch (thrown) {
        outcome.thrown = thrown
      }
    }
    await (await fetch(`${url}/run`)).text()
    if ('thrown' in outcome) throw outcome.thrown
    return outcome.result as Result
  }
}
