import { gate, type Script } from '@hoosh/core/testing'
import { ask, PROMPT } from './money.js'

/** What a paid route is asked, and what its prompt comes to. */
export interface PaidRoute {
  body(stream: boolean): Record<string, unknown>
  readonly streams: boolean
  /** It makes output that is paid for. */
  readonly speaks: boolean
  /** Prompt tokens: the provider's figure, the tokenizer's with the template, the bytes with the template. */
  readonly prompt: { readonly billed: number; readonly counted: number; readonly bytes: number }
}

/** Of calls that make output: so few that not even the bytes of an answer ask for more. */
export const MAX_TOKENS = 100

/** More than any call of the matrix can have used. */
export const CLAIM = { prompt_tokens: 1_000, completion_tokens: 1_000 }

/** Every paid route has to be described here; the matrix fails for one that is not. */
export const PAID_ROUTES: Readonly<Record<string, PaidRoute>> = {
  '/v1/chat/completions': {
    body: (stream) => ask({ stream, max_tokens: MAX_TOKENS }),
    streams: true,
    speaks: true,
    prompt: PROMPT,
  },
  '/v1/embeddings': {
    body: () => ({ model: 'text-embedding-3-small', input: 'Say something about the sea.' }),
    streams: false,
    speaks: false,
    prompt: { billed: 7, counted: 6 + 8, bytes: 28 + 8 },
  },
}

/** What a call is charged, by the rules of docs/budgets.md. */
export type Charged =
  /** Nothing can have been billed. */
  | 'nothing'
  /** What the provider says, which is the truth. */
  | 'the bill'
  /** Nobody knows: the prompt's bound, by its bytes where there was plenty. */
  | 'the prompt'
  /** Nobody says: the prompt, and the output that was counted. */
  | { readonly counted: number }
  /** Part of a plain answer has come: the prompt's bound, and the tokens of what has come, but no more than was held. */
  | 'what came'
  /** A claim that cannot be true: what was held. */
  | 'the hold'

/** One way a call can end. */
export interface Ending {
  readonly name: string
  readonly script: Script
  readonly charged: Charged
  readonly outcome: 'ok' | 'error' | 'aborted' | 'cutoff'
  readonly only?: 'plain' | 'streamed'
  /** The client leaves as soon as the provider has the request, or once it has got this text. */
  readonly leaves?: 'at once' | { readonly after: string }
  /** The pool's cap, where it is not ample. */
  readonly tokens?: number
  /** The deadlines there are over soon. */
  readonly isImpatient?: 'before the head' | 'after it'
  /** There is no provider at all. */
  readonly isUnreachable?: boolean
  readonly event?: 'budget.overrun' | 'budget.cutoff' | 'usage.implausible'
  /** Only of routes that make output. */
  readonly needsOutput?: boolean
}

const error = (message: string) => ({ error: { message, type: 'x', param: null, code: null } })
/** The role and five words. */
const SIX_EVENTS = 6

const finished: Ending[] = [
  { name: 'finished', script: {}, charged: 'the bill', outcome: 'ok' },
  ...(['missing', 'zero', 'negative', 'fractional'] as const).map(
    (usage): Ending => ({
      name: `finished, usage ${usage}`,
      script: { usage },
      charged: { counted: 16 },
      outcome: 'ok',
    }),
  ),
  { name: 'finished, usage of two frames', script: { usage: 'two-frames' }, charged: 'the bill', outcome: 'ok' },
  {
    name: 'finished, usage without the output',
    script: { usage: { prompt_tokens: 7, completion_tokens: 0 } },
    charged: { counted: 16 },
    outcome: 'ok',
    needsOutput: true,
  },
  {
    name: 'finished, usage that cannot be true',
    script: { tokens: 4, usage: CLAIM },
    charged: 'the hold',
    outcome: 'ok',
    event: 'usage.implausible',
  },
  {
    name: 'finished without [DONE]',
    script: { fault: 'no-done' },
    charged: 'the bill',
    outcome: 'ok',
    only: 'streamed',
  },
]

const left: Ending[] = [
  {
    name: 'aborted in the middle of a plain answer',
    script: { fault: 'hang', faultAfter: 60 },
    charged: 'what came',
    outcome: 'aborted',
    leaves: 'at once',
    only: 'plain',
  },
  {
    name: 'aborted before the head',
    script: { fault: 'hang-before-head' },
    charged: 'the prompt',
    outcome: 'aborted',
    leaves: 'at once',
  },
  {
    name: 'aborted in mid-stream',
    script: { fault: 'hang', faultAfter: SIX_EVENTS },
    charged: { counted: 5 },
    outcome: 'aborted',
    leaves: { after: 'five' },
    only: 'streamed',
  },
]

const refused: Ending[] = [400, 401, 404, 422, 429, 500, 503].map((status) => ({
  name: `refused with ${status}`,
  script: { status, body: error('no') },
  charged: 'nothing',
  outcome: 'error',
}))

const failedBefore: Ending[] = [
  ...refused,
  { name: 'no connection', script: {}, charged: 'nothing', outcome: 'error', isUnreachable: true },
  { name: '502 with a page', script: { status: 502, body: '<html>' }, charged: 'the prompt', outcome: 'error' },
  { name: 'a page under 200', script: { fault: 'html' }, charged: 'the prompt', outcome: 'error' },
  { name: 'reset before the head', script: { fault: 'reset-before-head' }, charged: 'the prompt', outcome: 'error' },
  {
    name: 'silent before the head',
    script: { fault: 'hang-before-head' },
    charged: 'the prompt',
    outcome: 'error',
    isImpatient: 'before the head',
  },
  {
    name: 'an error event first',
    script: { fault: 'error-event', faultAfter: 0 },
    charged: 'the prompt',
    outcome: 'error',
    only: 'streamed',
  },
  {
    name: 'an end before the first event',
    script: { fault: 'eof', faultAfter: 0 },
    charged: 'the prompt',
    outcome: 'error',
  },
]

const failedAfter: Ending[] = (['reset', 'eof', 'half-event', 'error-event', 'hang'] as const).map((fault) => ({
  name: `${fault} in mid-stream`,
  script: { fault, faultAfter: SIX_EVENTS },
  charged: { counted: 5 },
  outcome: 'error',
  only: 'streamed',
  ...(fault === 'hang' && { isImpatient: 'after it' }),
}))

const failedWithin: Ending[] = (['reset', 'eof', 'hang', 'garbage'] as const)
  .flatMap((fault): Ending[] => {
    const ending: Omit<Ending, 'name' | 'script'> = {
      charged: 'what came',
      outcome: 'error',
      only: 'plain',
      ...(fault === 'hang' && { isImpatient: 'after it' }),
    }
    return [
      { ...ending, name: `${fault} at the begin of a plain answer`, script: { fault, faultAfter: 60 } },
      // So late that half of its text has come.
      {
        ...ending,
        name: `${fault} in the middle of a plain answer`,
        script: { tokens: 60, fault, faultAfter: 250 },
        needsOutput: true,
      },
    ]
  })
  .filter(({ script, needsOutput }) => script.fault !== 'garbage' || needsOutput !== true)

const limited: Ending[] = [
  {
    name: 'limited by the pool',
    script: { tokens: 60 },
    charged: 'the bill',
    outcome: 'ok',
    tokens: 60,
    needsOutput: true,
  },
  {
    name: 'beyond its limit, a plain answer',
    script: { tokens: 90, honoursLimit: false },
    charged: 'the bill',
    outcome: 'ok',
    tokens: 60,
    only: 'plain',
    event: 'budget.overrun',
    needsOutput: true,
  },
  {
    name: 'beyond its limit, a stream',
    // Its head, and as far as the event that does not fit: what is made until the provider hears of that is nobody's guess.
    script: { tokens: 90, honoursLimit: false, holdAfter: { events: 60 - PROMPT.counted + 2, gate: gate() } },
    charged: { counted: 60 - PROMPT.counted },
    outcome: 'cutoff',
    tokens: 60,
    only: 'streamed',
    event: 'budget.cutoff',
  },
]

export const ENDINGS: readonly Ending[] = [
  ...finished,
  ...left,
  ...failedBefore,
  ...failedAfter,
  ...failedWithin,
  ...limited,
]
