import type { Gate } from './gate.js'

/** How the scripted provider answers one call. Everything is optional: `{}` is a good answer of 16 tokens. */
export interface Script {
  /** Only calls of this model; any by default. */
  readonly model?: string
  /** How many calls it is for: 1 where it was queued by `script`, all of them where it is the default. */
  readonly times?: number

  /** Output tokens of each choice, 16. A stream sends one token an event. */
  readonly tokens?: number
  /** The answer itself; each word of it is billed as one token. */
  readonly text?: string
  /** False makes as many tokens as the script says, whatever limit the request has. */
  readonly honoursLimit?: boolean
  /** Calls this function instead of speaking; its arguments are billed as one token for each event they take. */
  readonly toolCall?: { readonly name: string; readonly arguments: string }

  /** Waits here before the head goes out. */
  readonly holdHead?: Gate
  /** Waits after so many events of a stream. */
  readonly holdAfter?: { readonly events: number; readonly gate: Gate }
  /** Milliseconds before the head. */
  readonly headAfterMs?: number
  /** Milliseconds between events. */
  readonly everyMs?: number

  /** Answers with this status and `body`; nothing is billed for 4xx and 5xx. */
  readonly status?: number
  /** Text as it is, or an object as JSON: instead of the answer that would be made. */
  readonly body?: string | object
  /** Headers of the answer, beside or instead of its own. */
  readonly headers?: Readonly<Record<string, string>>

  readonly fault?: Fault
  /** Events of a stream before the fault, 2; bytes of a plain answer, 20. */
  readonly faultAfter?: number

  /** What it says it has used, if that is not the truth. */
  readonly usage?: UsageClaim

  /** Replays these bytes, written in pieces that end at the positions of `cutAt`. */
  readonly replay?: Replay
}

/**
 * - `reset-before-head`: reads the request, thinks (the prompt is billed), and resets the connection
 * - `reset`: resets it in the middle of the answer
 * - `hang-before-head`, `hang`: says nothing more, and keeps the connection
 * - `eof`: ends the answer properly, but without `finish_reason` and `[DONE]` (a plain one: half its JSON)
 * - `no-done`: the whole answer, without `[DONE]`
 * - `half-event`: ends in the middle of an event
 * - `error-event`: an error in OpenAI's shape as an event, then the end
 * - `garbage`: bytes that are neither JSON nor events, under the right content type
 * - `html`: a page, as proxies and logins send it, under status 200
 */
export type Fault =
  | 'reset-before-head'
  | 'reset'
  | 'hang-before-head'
  | 'hang'
  | 'eof'
  | 'no-done'
  | 'half-event'
  | 'error-event'
  | 'garbage'
  | 'html'

/**
 * `missing`: none; `zero`, `negative`, `fractional`: as they say; `two-frames`: a first one too low, then the truth;
 * an object: exactly these figures. A stream that was not asked for its usage sends none, unless this is `unasked`.
 */
export type UsageClaim =
  | 'missing'
  | 'zero'
  | 'negative'
  | 'fractional'
  | 'two-frames'
  | 'unasked'
  | { readonly prompt_tokens: number; readonly completion_tokens: number }

/** Recorded bytes to answer with, cut where a test wants. */
export interface Replay {
  readonly body: string | Uint8Array
  readonly contentType?: string
  /** Positions in bytes, ascending; `every-byte` for all of them. */
  readonly cutAt?: readonly number[] | 'every-byte'
  /** What replaying it is billed as, nothing by default. */
  readonly bills?: { readonly promptTokens: number; readonly completionTokens: number }
}
