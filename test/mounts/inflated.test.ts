import type { RequestListener } from 'node:http'
import { gzipSync } from 'node:zlib'
import { createGateway, type Gateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { hoosh } from '@hoosh/express'
import { hoosh as koaHoosh } from '@hoosh/koa'
import express, { type RequestHandler } from 'express'
import Koa from 'koa'
import bodyParser from 'koa-bodyparser'
import { describe, expect, it, onTestFinished } from 'vitest'
import { chatOf } from '../support/door.js'
import { identify, people, serve } from '../support/mounts.js'

const BYTES = gzipSync(JSON.stringify(chatOf('demo')))

/** Sends a compressed question to a gateway of its own. */
async function ask(listening: (gateway: Gateway) => RequestListener): Promise<Response> {
  const gateway = createGateway({ providers: [{ type: 'demo' }], pools: { '*': {} }, logger: false })
  const { url, close } = await serve(listening(gateway), [gateway])
  onTestFinished(close)
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      authorization: `Bearer ${people.alice.token}`,
    },
    body: BYTES,
  })
}

const afterParser = (parser: RequestHandler) => (gateway: Gateway) =>
  express().use(parser).use(hoosh(gateway, { identify }))

describe('a compressed body', () => {
  it.each<[string, (gateway: Gateway) => RequestListener]>([
    ['express.json', afterParser(express.json())],
    ['express.raw', afterParser(express.raw({ type: () => true }))],
    [
      'express.json that keeps the bytes',
      afterParser(express.json({ verify: (req, _res, rawBody) => Object.assign(req, { rawBody }) })),
    ],
    ['koa-bodyparser', (gateway) => new Koa().use(bodyParser()).use(koaHoosh(gateway, { identify })).callback()],
  ])('is answered where %s of the host has inflated it', async (_name, listening) => {
    const reply = await ask(listening)
    expect([reply.status, await reply.json()]).toMatchObject([200, { object: 'chat.completion' }])
  })

  it('is refused unread where nobody has', async () => {
    const reply = await ask((gateway) => toNodeHandler(gateway, { identify }))
    expect([reply.status, await reply.json()]).toMatchObject([415, { error: { code: 'unsupported_media_type' } }])
  })
})
