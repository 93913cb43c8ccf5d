import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Gate } from './gate.js'
import type { Fault, Replay, Script } from './script.js'
import { type ChatRequest, claimedUsage, scriptedPromptTokens, speechFor } from './scripted-answer.js'
import type { BilledAttempt } from './scripted-bill.js'
import { type AnswerHead, completionText, embeddingsText, streamEvents } from './scripted-wire.js'

/** One call being answered. */
export interface ScriptedCall {
  readonly script: Script
  readonly request: ChatRequest
  readonly path: string
  readonly response: ServerResponse
  readonly billed: BilledAttempt
  readonly head: AnswerHead
  /** Closed while the whole provider holds its answers back. */
  readonly held: Gate | null
}

const EVENTS_BEFORE_FAULT = 2
const BYTES_BEFORE_FAULT = 20
const PAGE = '<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>'

/** Answers one call as its script says. */
export async function perform(call: ScriptedCall): Promise<void> {
  const { script, billed, request } = call
  if (script.status === undefined || script.status < 400) billed.promptTokens = scriptedPromptTokens(request)
  if (call.held !== null) await call.held.wait()
  if (script.headAfterMs !== undefined) await sleep(script.headAfterMs)
  if (script.holdHead !== undefined) await script.holdHead.wait()
  if (call.response.destroyed) return
  if (script.fault === 'hang-before-head') return
  if (script.fault === 'reset-before-head') return reset(call)
  if (script.status !== undefined || script.body !== undefined) return sendFixed(call)
  if (script.fault === 'html') return sendWhole(call, 'text/html', PAGE)
  if (script.replay !== undefined) return replay(call, script.replay)
  if (call.path.endsWith('/embeddings')) return embeddings(call)
  return request.stream === true ? stream(call) : plain(call)
}

function sendFixed(call: ScriptedCall): void {
  const {
    status = 200,
    body = { error: { message: `Scripted ${status}.`, type: 'api_error', param: null, code: null } },
  } = call.script
  if (status >= 400) call.billed.outcome = 'refused'
  sendWhole(call, 'application/json', typeof body === 'string' ? body : JSON.stringify(body), status)
}

function sendWhole(call: ScriptedCall, contentType: string, body: string, status = 200): void {
  call.billed.status = status
  call.response.writeHead(status, { 'content-type': contentType, ...call.script.headers })
  call.response.end(body)
}

function embeddings(call: ScriptedCall): Promise<void> {
  const { script, request, billed, head } = call
  const usage = claimedUsage(script.usage, billed.promptTokens, 0).at(-1)
  return sendPlain(call, embeddingsText(head.model, request.input, usage))
}

function plain(call: ScriptedCall): Promise<void> {
  const { script, request, billed, head } = call
  const speech = speechFor(script, request)
  billed.completionTokens = speech.pieces.length * speech.choices
  // Of two frames a plain answer has room for the last one only.
  const last = claimedUsage(script.usage, billed.promptTokens, billed.completionTokens).at(-1)
  return sendPlain(call, completionText(head, speech, last))
}

async function sendPlain(call: ScriptedCall, answer: string): Promise<void> {
  const { script, response } = call
  const text = script.fault === 'garbage' ? '\u0000\u0001 not JSON' : answer
  if (script.fault === undefined || script.fault === 'garbage' || script.fault === 'no-done') {
    return sendWhole(call, 'application/json', text)
  }
  // A break-off shows as one only where the client cannot know how much was to come, or knows and gets less.
  const head200 = { 'content-type': 'application/json', ...script.headers }
  response.writeHead(200, script.fault === 'eof' ? head200 : { ...head200, 'content-length': Buffer.byteLength(text) })
  await written(response, text.slice(0, script.faultAfter ?? BYTES_BEFORE_FAULT))
  return breakOff(call, script.fault)
}

async function stream(call: ScriptedCall): Promise<void> {
  const { script, request, billed, head, response } = call
  const speech = speechFor(script, request)
  const isAsked = request.stream_options?.include_usage === true || script.usage === 'unasked'
  const total = speech.pieces.length * speech.choices
  const usage = isAsked ? claimedUsage(script.usage, billed.promptTokens, total) : []
  response.writeHead(200, { 'content-type': 'text/event-stream', ...script.headers })
  if (script.fault === 'garbage') return void response.end('\u0000\u0001 not an event\n\n{]\n\n')
  const faultAfter =
    script.fault === undefined || script.fault === 'no-done' ? Infinity : (script.faultAfter ?? EVENTS_BEFORE_FAULT)
  let events = 0
  for (const event of streamEvents(head, speech, usage)) {
    if (script.holdAfter?.events === events) await script.holdAfter.gate.wait()
    if (events >= faultAfter) return breakOff(call, script.fault!, event.data)
    if (script.fault === 'no-done' && event.data === 'data: [DONE]\n\n') break
    if (response.destroyed) return
    // Made is billed, even if the client goes while it is on its way.
    billed.completionTokens += event.tokens
    events += 1
    await written(response, event.data)
    if (script.everyMs !== undefined) await sleep(script.everyMs)
  }
  response.end()
}

/** Ends an answer the wrong way. */
async function breakOff(call: ScriptedCall, fault: Fault, nextEvent = ''): Promise<void> {
  const { response, billed } = call
  if (fault === 'hang') return
  if (fault === 'reset') return reset(call)
  billed.outcome = 'broken-off'
  if (call.request.stream !== true && fault !== 'eof') {
    // Fewer bytes than were announced: only the end of the connection tells.
    response.destroy()
    return
  }
  if (fault === 'half-event') await written(response, nextEvent.slice(0, nextEvent.length >> 1))
  if (fault === 'error-event') {
    const error = { error: { message: 'The scripted provider failed.', type: 'server_error', param: null, code: null } }
    await written(response, `data: ${JSON.stringify(error)}\n\n`)
  }
  response.end()
}

function reset({ response, billed }: ScriptedCall): void {
  billed.outcome = 'broken-off'
  response.socket?.resetAndDestroy()
}

async function replay(call: ScriptedCall, { body, contentType, cutAt, bills }: Replay): Promise<void> {
  const { response, billed, script } = call
  const bytes = Buffer.from(body)
  billed.promptTokens = bills?.promptTokens ?? 0
  billed.completionTokens = bills?.completionTokens ?? 0
  const streams = call.request.stream === true
  response.writeHead(200, {
    'content-type': contentType ?? (streams ? 'text/event-stream' : 'application/json'),
    ...script.headers,
  })
  const ends = cutAt === 'every-byte' ? bytes.keys() : (cutAt ?? [])
  let from = 0
  for (const to of [...ends, bytes.length]) {
    if (to > from) await written(response, bytes.subarray(from, to))
    from = Math.max(from, to)
  }
  response.end()
}

/** Writes, and waits until the client has room for more; a turn of the event loop keeps pieces apart on the wire. */
function written(response: ServerResponse, piece: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed || response.write(piece)) {
      setImmediate(resolve)
      return
    }
    const go = () => {
      response.off('drain', go)
      response.off('close', go)
      resolve()
    }
    response.on('drain', go)
    response.on('close', go)
  })
}
