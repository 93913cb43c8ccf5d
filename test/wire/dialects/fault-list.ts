import type { ServerResponse } from 'node:http'
import type { ProviderOptions } from '@hoosh/core'

/** Answers of one dialect that can be spoiled. */
export interface FaultDialect {
  readonly type: ProviderOptions['type']
  readonly model: string
  readonly streamType: string
  /** What both answers say, and what they bill; each event that says something is billed as one token. */
  readonly text: string
  readonly promptTokens: number
  readonly completionTokens: number
  /** A good answer. */
  plain(text: string): string
  /** The same as events on the wire: before the text, the text, what tells why it stopped, what comes after that. */
  events(text: string): { head: string[]; text: string[]; finish: string[]; end: string[] }
  /** An error as the dialect tells it, as JSON. */
  error(status: number): string
  /** The same as an event on the wire. */
  errorEvent(status: number): string
  /** Its errors are the caller's already: they pass with their own code. */
  readonly passesErrors?: boolean
}

/** What the caller sees of a fault: a whole answer, or the status before the answer or the code of the error in it. */
export type Outcome = 'whole' | { readonly status: number; readonly code: string } | { readonly broken: string }

export interface Fault {
  readonly name: string
  readonly plain?: Outcome
  readonly stream?: Outcome
  /** Nothing can have been billed. */
  readonly isFree?: boolean
  /** There is nobody at the address. */
  readonly isUnreachable?: boolean
  /** Nothing is waited for, so that a busy machine may take its time. */
  readonly isLarge?: boolean
  /** Resets connections before it reads a word. */
  readonly resetsConnections?: boolean
  serve(answer: Answer): void | Promise<void>
}

/** One answer on its way, plain or streamed. */
export interface Answer {
  readonly res: ServerResponse
  readonly dialect: FaultDialect
  readonly stream: boolean
  /** Writes the head of a good answer. */
  head(type?: string): void
  /** Writes a piece, and what it is billed. */
  write(text: string, tokens?: number): void
  /** All of a good answer, in pieces. */
  whole(): string[]
  /** The first half of it: the head and one piece of text, or half of the JSON. */
  half(): void
  reset(): void
}

const failed: Outcome = { status: 502, code: 'provider_error' }
const brokenOff: Outcome = { broken: 'provider_error' }
const silent: Outcome = { status: 504, code: 'first_byte_timeout' }

const refusals: Fault[] = [408, 409, 429, 500, 502, 503, 504, 529].map((status) => ({
  name: `refused with ${status}`,
  plain: status === 429 ? { status: 429, code: 'provider_rate_limited' } : failed,
  stream: status === 429 ? { status: 429, code: 'provider_rate_limited' } : failed,
  isFree: true,
  serve({ res, dialect }) {
    res.writeHead(status, { 'content-type': 'application/json' })
    res.end(dialect.error(status))
  },
}))

const lines: Fault[] = [
  {
    name: 'connection refused',
    plain: failed,
    stream: failed,
    isFree: true,
    isUnreachable: true,
    serve: () => undefined,
  },
  { name: 'reset as it connects', plain: failed, stream: failed, resetsConnections: true, serve: () => undefined },
  { name: 'reset before the head', plain: failed, stream: failed, serve: ({ reset }) => reset() },
  {
    name: 'reset behind the head',
    plain: failed,
    stream: failed,
    serve({ head, reset }) {
      head()
      setImmediate(reset)
    },
  },
  {
    name: 'reset in the middle',
    plain: failed,
    stream: brokenOff,
    serve({ half, reset }) {
      half()
      setTimeout(reset, 20)
    },
  },
  { name: 'silent before the head', plain: silent, stream: silent, serve: () => undefined },
  { name: 'silent behind the head', plain: silent, stream: silent, serve: ({ head }) => head() },
  {
    name: 'silent in the middle',
    plain: { status: 504, code: 'idle_timeout' },
    stream: { broken: 'idle_timeout' },
    serve: ({ half }) => half(),
  },
]

/** Shapes in which an error stands in a stream, beside the dialect's own; the last is an end without a word. */
const ERROR_FRAMES: Readonly<Record<string, string>> = {
  '{ error: { message } }': '{"error":{"message":"boom","type":"server_error"}}',
  "{ error: 'text' }": '{"error":"boom"}',
  "{ object: 'error' }": '{"object":"error","message":"boom","type":"x","code":500}',
  'response.failed': '{"type":"response.failed","response":{"error":{"code":"server_error","message":"boom"}}}',
}

const frames: Fault[] = [
  ...Object.entries(ERROR_FRAMES).map(([name, json]) => ({ name, frame: (d: FaultDialect) => framed(d, json) })),
  {
    name: 'event: error',
    frame: (d: FaultDialect) =>
      isSse(d) ? 'event: error\ndata: {"message":"boom"}\n\n' : framed(d, '{"error":"boom"}'),
  },
  { name: "the dialect's own", frame: (d: FaultDialect) => d.errorEvent(529) },
].flatMap(({ name, frame }): Fault[] => [
  {
    name: `an error frame first: ${name}`,
    stream: failed,
    serve({ head, res, dialect }) {
      head()
      res.end(frame(dialect))
    },
  },
  {
    name: `an error frame in the middle: ${name}`,
    stream: brokenOff,
    serve({ half, res, dialect }) {
      half()
      res.end(frame(dialect))
    },
  },
])

const isSse = ({ streamType }: FaultDialect) => streamType === 'text/event-stream'
const framed = (dialect: FaultDialect, json: string) => (isSse(dialect) ? `data: ${json}\n\n` : `${json}\n`)

const bodies: Fault[] = [
  {
    name: 'an error under 200',
    plain: failed,
    stream: failed,
    serve({ res, dialect }) {
      res.writeHead(200, { 'content-type': 'application/json' })
      res.end(dialect.error(500))
    },
  },
  {
    name: 'a page under 200',
    plain: failed,
    stream: failed,
    serve({ head, res }) {
      head('text/html')
      res.end('<html>')
    },
  },
  {
    name: 'garbage',
    plain: failed,
    stream: failed,
    serve({ head, res, dialect }) {
      head()
      res.end(framed(dialect, 'ga{rb]age'))
    },
  },
  {
    name: 'JSON of another shape',
    plain: failed,
    stream: failed,
    serve({ head, res, dialect }) {
      head()
      res.end(framed(dialect, '[[1,2,3]]'))
    },
  },
  {
    name: 'bytes that are not UTF-8',
    stream: brokenOff,
    serve({ half, res }) {
      half()
      // In a chunk of its own: together with the first event it would be no answer at all.
      setTimeout(() => res.end(Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0x20, 0xff, 0xfe, 0x0a, 0x0a])), 20)
    },
  },
  {
    name: 'half an event',
    plain: failed,
    stream: brokenOff,
    serve({ half, res, dialect }) {
      half()
      res.end(dialect.events(dialect.text).finish[0]!.slice(0, -20))
    },
  },
  {
    name: 'an end in the middle',
    plain: failed,
    stream: brokenOff,
    serve({ half, res }) {
      half()
      res.end()
    },
  },
  {
    name: 'an empty answer',
    plain: failed,
    stream: failed,
    serve({ head, res }) {
      head()
      res.end()
    },
  },
  {
    name: 'no last event',
    stream: 'whole',
    serve({ head, write, res, dialect }) {
      const { head: first, text, finish } = dialect.events(dialect.text)
      head()
      for (const event of [...first, ...text, ...finish]) write(event, text.includes(event) ? 1 : 0)
      res.end()
    },
  },
  {
    name: 'the last event twice',
    stream: 'whole',
    serve({ head, write, whole, res, dialect }) {
      head()
      for (const event of whole()) write(event)
      res.end(dialect.events(dialect.text).end.join(''))
    },
  },
  {
    name: 'a line of 10 MiB',
    isLarge: true,
    stream: brokenOff,
    serve({ half, res, dialect }) {
      half()
      res.end(dialect.events('x'.repeat(10_485_760)).text[0])
    },
  },
]

const slow: Fault[] = [
  {
    name: 'slices of one byte',
    plain: 'whole',
    stream: 'whole',
    async serve({ head, whole, res }) {
      head()
      for (const byte of Buffer.from(whole().join(''))) {
        res.write(Buffer.from([byte]))
        await new Promise(setImmediate)
      }
      res.end()
    },
  },
  {
    name: 'a slow drip',
    plain: 'whole',
    stream: 'whole',
    async serve({ head, whole, res }) {
      head()
      const bytes = Buffer.from(whole().join(''))
      const size = Math.ceil(bytes.length / 12)
      for (let at = 0; at < bytes.length; at += size) {
        res.write(bytes.subarray(at, at + size))
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 8))
      }
      res.end()
    },
  },
]

export const FAULTS = [...lines, ...refusals, ...bodies, ...frames, ...slow]
/** Of every silence that is waited for; a good answer is never that slow. */
export const IDLE_MS = 400
