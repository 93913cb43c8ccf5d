import type { HooshError } from '../../errors.js'
import type { RefusedAnswer } from '../failures.js'
import type { CarryingMessage } from './keepsakes.js'

/**
 * A way of speaking that is not OpenAI's, as data and pure functions: what to ask, what the answer means, what a refusal
 * means. Connections, deadlines, back-pressure, framing and limits are those of `translatedProvider`.
 */
export interface Dialect {
  /** Put behind a base URL that does not end in a version segment: `/v1`, `/v1beta`, or nothing. */
  readonly version: string
  /** How a stream is cut into events: `data:` of server-sent events, or one JSON text a line. */
  readonly framing: 'sse' | 'ndjson'
  /** Sent with every request, lower case; a configured header of the same name wins. */
  readonly headers: Readonly<Record<string, string>>
  /** Where the key goes. */
  keyHeader(apiKey: string): readonly [name: string, value: string]
  /**
   * Its answers carry opaque things in `extra_content`, of the message or of its calls, that it wants back in a tool loop. They
   * are kept for clients that drop them, and `translate` sees messages as if nothing were lost.
   */
  readonly carries?: boolean
  /**
   * One request in this dialect, and how its answer is read. Does no I/O.
   *
   * @throws HooshError `unsupported_parameter` through `ask.cannot`, `invalid_request` for what no provider could read
   */
  translate(ask: Ask): Translation
  /** A refusal as it is meant where the status does not say so: a bad key that is answered 400. */
  refusal?(answer: RefusedAnswer): RefusedAnswer
  /** How models are fetched and forgotten, where the server keeps them itself; the answer of `pull` is lines of JSON. */
  readonly library?: Readonly<Record<'pull' | 'remove', (model: string) => { path: string; body: string }>>
  readonly models: {
    /** Behind the version, with its query. */
    readonly path: string
    /** Ids out of the list; anything that is no list throws or gives what it finds, and is told as `provider_error`. */
    ids(list: unknown): string[]
  }
}

/** A request of OpenAI's dialect, on its way to another. */
export interface Ask {
  readonly kind: 'chat' | 'embeddings'
  readonly stream: boolean
  readonly model: string
  readonly params: Readonly<Record<string, unknown>>
  /** For answers without an id of their own. */
  readonly requestId: string
  /** Seconds since the epoch, for the answer. */
  readonly created: number
  /**
   * Says that a field asks for something that this provider cannot do. Throws `unsupported_parameter`, or returns where the
   * caller wants such fields left out: the translation then goes on without it, and the answer names it in a header.
   *
   * @param param dotted, as in `messages.0.content.1`
   * @param why ends the sentence "The provider "x" cannot do what `param` asks"; with no full stop
   */
  cannot(param: string, why?: string): void
  /** Says that a value was changed to the nearest one that the provider takes. It is named in the same header. */
  adapted(param: string): void
  /** `cannot` for what no request can do without: an error to throw, whatever the caller wants left out. */
  impossible(param: string, why: string): HooshError
  /** What the provider says went wrong inside an answer, as the error that the same words with this status would be. */
  refused(status: number, body: string): HooshError
}

/** What goes up, and how what comes back is read. Made per call, so it may remember what was asked. */
export interface Translation {
  /** Behind the version, with its query. */
  readonly path: string
  readonly body: string
  /** Of this request only: name, value, name, value. */
  readonly headers?: readonly string[]
  /**
   * A chat completion, or an embeddings answer, out of a plain one.
   *
   * @throws HooshError of `ask.refused` for an error that came with status 200; anything else thrown means garbage
   */
  reply(json: unknown): object
  /** Once per stream. */
  stream(): StreamTranslator
}

/** One stream being translated. Called for every event, so it makes no promise and parses nothing twice. */
export interface StreamTranslator {
  /**
   * OpenAI's SSE events that one event means, as text; '' for none. `[DONE]` belongs to the one that ends the answer.
   *
   * @throws HooshError of `ask.refused` for an error event; anything else thrown means garbage
   */
  event(json: unknown): string
  /** Of a dialect that `carries`: the answer's message with its calls, once it is complete; null before. */
  message?(): CarryingMessage | null
  /** What is still to be said when the stream has ended in good order; '' for nothing. */
  end?(): string
}
