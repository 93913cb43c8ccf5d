import type { Part } from './parts.js'

type Json = Readonly<Record<string, unknown>>

/** OpenAI takes no ids of more than 40 characters, and a conversation may go on there. */
const LONGEST_STEM = 30

/** Ids for calls that have none: the same answer always gives the same ones. */
export function callIds(answerId: string): () => string {
  let calls = 0
  const stem = `call_${answerId.slice(0, LONGEST_STEM)}`
  return () => {
    calls += 1
    return `${stem}_${calls}`
  }
}

/** A function call as OpenAI's tool call, its signature where Google's own OpenAI endpoint puts it. */
export function toolCallOf({ functionCall, thoughtSignature: signature }: Part, nextId: () => string) {
  const { id, name, args } = functionCall as Json
  return {
    id: typeof id === 'string' && id !== '' ? id : nextId(),
    type: 'function',
    function: { name, arguments: JSON.stringify(args ?? {}) },
    ...(signature === undefined ? {} : { extra_content: { google: { thought_signature: signature } } }),
  }
}
