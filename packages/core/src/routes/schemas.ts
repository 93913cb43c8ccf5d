import { z } from 'zod'
import { isWhole, nanoUsdOf } from '../amount.js'

/** Longest name of a model, bytes of UTF-8 at most four times as many. */
const MAX_NAME = 256
const MAX_MESSAGES = 2_048
/** Of one embeddings call, as OpenAI has it. */
const MAX_INPUTS = 2_048
const MAX_TOOLS = 128
const MAX_FALLBACKS = 8

const isName = (text: string) => {
  if (text.length === 0 || text.length > MAX_NAME || !text.isWellFormed()) return false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code === 0x22 || code === 0x5c || code === 0x7f) return false
  }
  return true
}

/** What can be written down everywhere: Postgres takes no NUL, and half a surrogate pair has no UTF-8. */
export const text = (most: number) => {
  const error = `must be a text of at most ${most} characters without control characters`
  return z
    .string({ error })
    .max(most, { error })
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error })
}

/** An object without fields that are not known: each is told by its name. */
export const strict = <Shape extends z.ZodRawShape>(shape: Shape, what: string) =>
  z.strictObject(shape, {
    error: ({ code }) =>
      code === 'unrecognized_keys' ? `is none of ${Object.keys(shape).join(', ')}` : `must be ${what}`,
  })

/** A user's name, or an id that we gave. */
export const idText = text(MAX_NAME)

export const modelName = z.string({ error: 'is required: the name of a model' }).refine(isName, {
  error: `must be 1 to ${MAX_NAME} characters without control characters, quotes or backslashes`,
})

export const poolName = z.string({ error: 'must be the name of a pool' }).refine(isName, {
  error: `must be 1 to ${MAX_NAME} characters without control characters, quotes or backslashes`,
})

/** More than nothing, in nano-USD. */
export const usd = z
  .union([z.number(), z.string()], { error: 'must be an amount of USD' })
  .transform((value, context) => {
    const nano = nanoUsdOf(value)
    if (nano !== null && nano > 0) return nano
    context.addIssue({ code: 'custom', message: 'must be more than 0, with at most nine decimals' })
    return z.NEVER
  })

/** Tokens a client names: a whole number from 1 to 2^53 - 1. */
export const tokenCount = z
  .number({ error: 'must be a whole number' })
  .refine((n) => Number.isSafeInteger(n) && n >= 1, {
    error: 'must be a whole number from 1 to 9007199254740991',
  })

const limit = tokenCount.nullish()

const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function'])

const between = (low: number, high: number) => {
  const error = `must be a number from ${low} to ${high}`
  return z.number({ error }).min(low, { error }).max(high, { error }).nullish()
}

const message = z.looseObject(
  {
    role: z
      .string({ error: 'is required' })
      .refine((role) => ROLES.has(role), { error: `must be one of ${[...ROLES].join(', ')}` }),
    content: z.custom<unknown>(isContent, { error: 'must be a string, an array of parts, or null' }).optional(),
  },
  { error: 'must be an object with a role' },
)

const fallbacks = z
  .array(modelName, { error: 'must be an array of model names' })
  .max(MAX_FALLBACKS, { error: `must hold at most ${MAX_FALLBACKS} models` })
  .nullish()

/** Fields that a provider cannot do are left out, and named in `x-hoosh-dropped`, rather than refused. */
const dropUnsupported = z.boolean({ error: 'must be true or false' }).nullish()

/** OpenAI's chat request: what decides something here is checked, everything else passes through. */
export const chatRequest = z.looseObject(
  {
    model: modelName,
    messages: z
      .array(message, { error: 'is required: an array of messages' })
      .min(1, { error: 'must hold at least one message' })
      .max(MAX_MESSAGES, { error: `must hold at most ${MAX_MESSAGES} messages` }),
    stream: z.boolean({ error: 'must be true or false' }).nullish(),
    max_tokens: limit,
    max_completion_tokens: limit,
    n: z
      .number({ error: 'must be a whole number from 1 to 128' })
      .int({ error: 'must be a whole number from 1 to 128' })
      .min(1, { error: 'must be a whole number from 1 to 128' })
      .max(128, { error: 'must be a whole number from 1 to 128' })
      .nullish(),
    temperature: between(0, 2),
    top_p: between(0, 1),
    tools: z
      .array(z.looseObject({}, { error: 'must be an object' }), { error: 'must be an array' })
      .max(MAX_TOOLS, { error: `must hold at most ${MAX_TOOLS} tools` })
      .nullish(),
    stream_options: z
      .looseObject(
        { include_usage: z.boolean({ error: 'must be true or false' }).nullish() },
        { error: 'must be an object' },
      )
      .nullish(),
    pool: poolName.nullish(),
    fallbacks,
    drop_unsupported: dropUnsupported,
  },
  { error: 'The body must be one JSON object.' },
)

export const embeddingsRequest = z.looseObject(
  {
    model: modelName,
    input: z.custom<unknown>(isInput, {
      error: ({ input }) =>
        Array.isArray(input) && input.length > MAX_INPUTS
          ? `must hold at most ${MAX_INPUTS} items; these are ${input.length}`
          : 'is required: a non-empty string, or an array of strings, of token ids, or of arrays of token ids',
    }),
    pool: poolName.nullish(),
    fallbacks,
    drop_unsupported: dropUnsupported,
  },
  { error: 'The body must be one JSON object.' },
)

function isContent(value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'string') return true
  return (
    Array.isArray(value) &&
    value.every((part) => typeof part === 'string' || (typeof part === 'object' && part !== null))
  )
}

function isInput(value: unknown): boolean {
  if (typeof value === 'string') return value !== ''
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_INPUTS) return false
  return value.every(
    (item) =>
      typeof item === 'string' || isWhole(item) || (Array.isArray(item) && item.length > 0 && item.every(isWhole)),
  )
}
