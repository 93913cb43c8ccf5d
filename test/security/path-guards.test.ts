import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import { createGateway } from '@hoosh/core'
import { hoosh } from '@hoosh/express'
import { hoosh as koaHoosh } from '@hoosh/koa'
import express from 'express'
import Koa from 'koa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { serve } from '../support/mounts.js'

const gateway = () => createGateway({ providers: [{ type: 'demo' }], logger: false })
const identify = () => ({ user: 'ada' })

/** Hosts that let nobody into `/v1`, by the path that their framework reads. */
const HOSTS: [name: string, listening: () => RequestListener][] = [
  [
    'Express',
    () =>
      express()
        .use('/v1', (_req, res) => void res.status(403).end())
        .use(hoosh(gateway(), { identify })),
  ],
  [
    'Koa',
    () =>
      Object.assign(new Koa(), { silent: true })
        .use(async (ctx, next) => {
          if (ctx.path.startsWith('/v1')) ctx.status = 403
          else await next()
        })
        .use(koaHoosh(gateway(), { identify }))
        .callback(),
  ],
]

/** Koa reads a path with a parser that newer Nodes let throw here, and answers 500 itself, in its own words. */
const unparsed = new Set(['Koa http://a:b@c:d/v1/models'])
const UNPARSED = /^HTTP\/1\.1 (?:403|404|400|500 [\s\S]*\r\n\r\nInternal Server Error$)/

describe.each(HOSTS)("a host's guard of /v1, on %s", (name, listening) => {
  it.each([
    '/v1/models',
    '//v1/models',
    '/V1/models',
    '/%76%31/models',
    '/./v1/models',
    '/x/../v1/models',
    '/\\v1/models',
    '/?/v1/models',
    'http://app.test/v1/models',
    'http://app.test:8080/v1/models',
    'HTTP://[::1]/v1/models',
    'http:///v1/models',
    "http://a'b/v1/models",
    'http://a;b/v1/models',
    'http://a%2fb/v1/models',
    'http://a%23b/v1/models',
    'http://a:b@c:d/v1/models',
    'http://a@b@c/v1/models',
    'http://a:99999/v1/models',
    'http://a?/v1/models',
  ])('is not walked around by the target %s', async (target) => {
    const { url, close } = await serve(listening())
    onTestFinished(close)
    const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('latin1')
    socket.write(`GET ${target} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n`)
    let answer = ''
    socket.on('data', (piece: string) => {
      answer += piece
    })
    await once(socket, 'close')
    expect(answer).toMatch(unparsed.has(`${name} ${target}`) ? UNPARSED : /^HTTP\/1\.1 (?:403|404|400) /)
  })
})
