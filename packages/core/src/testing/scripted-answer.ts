import type { Script, UsageClaim } from './script.js'

/** A chat request as far as the scripted provider reads it. */
export interface ChatRequest {
  readonly model?: string
  readonly messages?: readonly { readonly content?: unknown }[]
  readonly tools?: unknown
  readonly input?: unknown
  readonly stream?: boolean
  readonly n?: number
  readonly max_tokens?: number | null
  readonly max_completion_tokens?: number | null
  readonly stream_options?: { readonly include_usage?: boolean } | null
}

/** What it will say: the same pieces in each choice, each of them one token. */
export interface Speech {
  readonly pieces: readonly string[]
  readonly choices: number
  readonly finishReason: 'stop' | 'length' | 'tool_calls'
  readonly toolName: string | null
}

export interface ClaimedUsage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
}

/** Words that every common tokenizer takes for one token each, so that no counter can come out below the bill. */
const WORDS = [' one', ' two', ' three', ' four', ' five', ' six', ' seven', ' eight', ' nine', ' ten']

const DEFAULT_TOKENS = 16

/** Prompt tokens as this provider bills them: one per started four bytes of the messages', inputs' and tools' text. */
export function scriptedPromptTokens(request: ChatRequest): number {
  const contents = (request.messages ?? []).map(({ content }) => textOf(content))
  const texts = [...contents, textOf(request.input), request.tools === undefined ? '' : JSON.stringify(request.tools)]
  return texts.reduce((sum, text) => sum + Math.ceil(Buffer.byteLength(text) / 4), 0)
}

function textOf(content: unknown): string {
  if (content === undefined || content === null) return ''
  return typeof content === 'string' ? content : JSON.stringify(content)
}

export function speechFor(script: Script, request: ChatRequest): Speech {
  const wanted = piecesOf(script)
  const limit = script.honoursLimit === false ? null : (request.max_completion_tokens ?? request.max_tokens ?? null)
  const pieces = limit === null ? wanted : wanted.slice(0, limit)
  const whole = script.toolCall === undefined ? 'stop' : 'tool_calls'
  return {
    pieces,
    choices: request.n ?? 1,
    finishReason: pieces.length < wanted.length ? 'length' : whole,
    toolName: script.toolCall?.name ?? null,
  }
}

function piecesOf({ toolCall, text, tokens = DEFAULT_TOKENS }: Script): string[] {
  if (toolCall !== undefined) return toolCall.arguments.match(/.{1,8}/gsu) ?? []
  if (text !== undefined) return text.match(/\s*\S+\s*$|\s*\S+/g) ?? []
  return Array.from({ length: tokens }, (_, index) => WORDS[index % WORDS.length]!)
}

/** The usage it claims, in the order of its frames. */
export function claimedUsage(
  claim: UsageClaim | undefined,
  promptTokens: number,
  completionTokens: number,
): ClaimedUsage[] {
  const truth = frame(promptTokens, completionTokens)
  if (claim === undefined || claim === 'unasked') return [truth]
  if (typeof claim === 'object') return [frame(claim.prompt_tokens, claim.completion_tokens)]
  switch (claim) {
    case 'missing':
      return []
    case 'zero':
      return [frame(0, 0)]
    case 'negative':
      return [frame(-promptTokens, -completionTokens)]
    case 'fractional':
      return [frame(promptTokens + 0.5, completionTokens + 0.5)]
    case 'two-frames':
      return [frame(promptTokens, Math.min(1, completionTokens)), truth]
  }
}

function frame(prompt_tokens: number, completion_tokens: number): ClaimedUsage {
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}
