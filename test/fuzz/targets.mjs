import assert from 'node:assert/strict'
import { verifyAuditLog } from '@hoosh/core/audit'

const core = (path) => import(new URL(`../../packages/core/dist/${path}.js`, import.meta.url).href)
const { eventScanner } = await core('inference/event-scanner')
const { readEvent } = await core('inference/stream-event')
const { ndjsonFramer, sseFramer } = await core('providers/translated/lines')
const { readJson } = await core('http/json-body')
const { chatRequest, embeddingsRequest } = await core('routes/schemas')
const { validated } = await core('routes/validate')
const { bodyOf, checkRecord } = await core('audit/canonical')
const { link } = await core('audit/chain')
const { HooshError } = await core('errors')

/** What may be thrown: an error of ours, which says what is wrong with the input. */
function tolerated(work) {
  try {
    return work()
  } catch (error) {
    if (error instanceof HooshError) return undefined
    throw error
  }
}

function cut(bytes, size) {
  const pieces = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return pieces
}

/** Events of a stream, whole and cut into pieces: the same, and nothing of it lost but blank lines too many. */
const sse = {
  seeds: [
    'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n',
    '\ufeffdata: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\r\n\r\n: ping\r\n\r\nevent: error\ndata: {"error":{"message":"x"}}\n\n',
    'id: 1\rdata: a\rdata: b\r\rdata: {"choices":[{"finish_reason":"stop","delta":{}}],"usage":null}\n\n',
    '{"message":{"content":"a"}}\n{"done":true}\n',
  ],
  words: [
    '\n\n',
    '\r\n\r\n',
    '\r\r',
    'data:',
    'data: [DONE]',
    '"usage":{',
    '"delta":{"content":"',
    '"error"',
    '\ufeff',
    ': x\n',
    '\\"',
    '\\u0041',
  ],
  run(input) {
    const scanned = (pieces) => {
      const scanner = eventScanner()
      const events = pieces.flatMap((piece) => scanner.push(piece))
      return { events, rest: scanner.rest() }
    }
    const whole = scanned([input])
    const bytesOf = ({ events, rest }) => Buffer.concat([...events, rest ?? Buffer.alloc(0)])
    const linesOf = (bytes) => bytes.toString('latin1').replace(/[\r\n]/g, '')
    const marked = input.length >= 3 && input[0] === 0xef && input[1] === 0xbb && input[2] === 0xbf
    assert.equal(linesOf(bytesOf(whole)), linesOf(marked ? input.subarray(3) : input), 'nothing is lost')
    for (const size of [1, 7]) {
      const pieces = scanned(cut(input, size))
      assert.equal(pieces.events.length, whole.events.length, 'cut into pieces there are as many')
      assert.equal(linesOf(bytesOf(pieces)), linesOf(bytesOf(whole)), 'cut into pieces they are the same')
    }
    for (const event of whole.events) tolerated(() => readEvent(event.toString('latin1')))
    for (const make of [sseFramer, ndjsonFramer]) {
      const framed = (pieces) =>
        tolerated(() => {
          const texts = []
          const framer = make((text) => texts.push(text))
          for (const piece of pieces) framer.push(piece)
          framer.end()
          return texts
        })
      assert.deepEqual(framed(cut(input, 3)), framed([input]), 'cut into pieces it says the same')
    }
  },
}

/** Bodies of requests: refused with an error of ours, or read as what JSON.parse reads. */
const validator = {
  seeds: [
    '{"model":"m","messages":[{"role":"user","content":"hi"}]}',
    '{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aa"}}]}],"max_tokens":5,"stream":true,"stream_options":{"include_usage":true},"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"auto","temperature":0.5,"stop":["a"],"n":1}',
    '{"model":"m","input":["a","b"],"dimensions":4,"encoding_format":"float"}',
    '{"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}}}',
  ],
  words: [
    '"__proto__":',
    '"constructor":{"prototype":{}}',
    '1e400',
    '\\ud800',
    '"model":',
    '[[[[',
    '{"a":{"a":',
    'null',
    '"messages":',
    '"role":"tool"',
    '"\\u0000"',
  ],
  async run(input) {
    const request = {
      header: (name) => (name === 'content-type' ? 'application/json' : undefined),
      body: { bytes: async () => input },
    }
    let read
    try {
      read = await readJson(request, 2 ** 20)
    } catch (error) {
      if (error instanceof HooshError) return
      throw error
    }
    assert.deepEqual(read.value, JSON.parse(new TextDecoder().decode(input)))
    for (const schema of [chatRequest, embeddingsRequest]) tolerated(() => validated(schema, read.value))
    assert.equal({}.polluted, undefined)
  },
}

/** Records of the audit log: refused with an error of ours, or written so that nothing is lost and keys stand in order. */
const canonical = {
  seeds: [
    '{"id":"a","timestamp":1,"event":"x","level":"info","message":"m","metadata":{"b":1,"a":[true,null,"x"]}}',
    '{"id":"\u00e9","timestamp":0,"event":"\\u2028","level":"error","message":"\\"","provider":"p","model":"m","metadata":{"\\u20ac":{"\\r":"a","1":2},"\ud83d\ude00":"x"}}',
  ],
  words: [
    '"metadata":{',
    '"\\ud83d"',
    '"\\u0000":',
    '-0',
    '9007199254740993',
    '"__proto__":1',
    '"a":{"a":{"a":',
    '\ud83d\ude00',
    '\ufb33',
  ],
  run(input) {
    let record
    try {
      record = JSON.parse(input.toString('utf8'))
    } catch {
      return
    }
    if (typeof record !== 'object' || record === null) return
    const checked = tolerated(() => checkRecord(record, 'w/1'))
    if (checked === undefined) return
    const place = { version: '2', writer: 'w/1', seq: 1, epoch: 0 }
    const body = bodyOf(checked, place)
    const { integrity, ...back } = JSON.parse(body)
    assert.deepEqual(integrity, place)
    assert.deepEqual(back, JSON.parse(JSON.stringify(checked)))
    assert.equal(
      bodyOf(
        tolerated(() => checkRecord(back, 'w/1')),
        place,
      ),
      body,
      'written again it is the same',
    )
    inOrder(JSON.parse(body))
  },
}

function inOrder(value) {
  if (typeof value !== 'object' || value === null) return
  const keys = Array.isArray(value) ? [] : Object.keys(value)
  // JavaScript puts keys that look like indexes first, whatever stood in the text.
  const named = keys.filter((key) => !/^\d+$/.test(key))
  assert.deepEqual(
    named,
    named.toSorted((a, b) => (a < b ? -1 : 1)),
  )
  for (const inner of Object.values(value)) inOrder(inner)
}

/** Exported logs: always a verdict; and one that was not touched is in order. */
const verifier = {
  seeds: [exported(null), exported(Buffer.alloc(32, 7))],
  words: [
    '"seq":',
    '"hash":"',
    '"previous_hash":"',
    '"writer":"',
    '\n',
    '{"integrity":',
    '"epoch":0',
    '"signature":""',
    '\u0000',
  ],
  run(input) {
    const text = input.toString('utf8')
    for (const options of [{}, { key: 'secret' }]) {
      const { code, writers, entries } = verifyAuditLog(text, options)
      assert.ok(code >= 0 && code <= 5)
      assert.ok(writers.reduce((sum, one) => sum + one.entries, 0) <= entries + writers.length)
    }
  },
}

function exported(key) {
  const record = (id) => ({ id, timestamp: 1, event: 'x', level: 'info', message: id, metadata: { a: 1 } })
  const head = { seq: 0, hash: '0'.repeat(64) }
  const entries = link([record('a'), record('b'), record('c')], { writer: 'w/1', head, key, epoch: 0 })
  return `${entries.map(({ record: said, integrity }) => JSON.stringify({ ...said, integrity })).join('\n')}\n`
}

export const TARGETS = { sse, validator, canonical, verifier }
