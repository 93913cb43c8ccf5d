import { demoTokens } from './demo-tokens.js'
import type { TokenFacts } from './token-facts.js'
import { loadedTokenizer, loadTokenizer } from './tokenizer.js'

/** Upper bounds of the tokens that a request's prompt will be billed as. */
export interface PromptBound {
  /**
   * Cheap and generous: one token for each byte of UTF-8, which no tokenizer exceeds. (Three times the usual bytes per
   * token would be less, but digits with spaces between them are a token for each byte.)
   */
  readonly plenty: number
  /**
   * By the model's tokenizer where we have it, in turns of a few milliseconds; else `plenty`. The first use of an encoding
   * loads it. Counted once, however often it is asked for.
   */
  exact(): number | Promise<number>
}

type Params = Readonly<Record<string, unknown>>

/** Fields beside the messages that providers put into the prompt, as JSON or written out. */
const ALSO_PROMPT = ['tools', 'functions', 'response_format', 'prediction', 'documents'] as const

/** The most a file, a video or what a tool of the provider's finds is counted as; beyond that only the provider knows. */
const LARGEST_FILE = 131_072

/** Base64 has 3 bytes in 4 characters; a page of a PDF is 2 KB or more and is billed as text and image, under 4,096. */
const TOKENS_PER_FILE_CHARACTER = 1.5

/** The most that one recording is counted as: over 50 minutes at OpenAI's 10 tokens a second. */
const LARGEST_AUDIO = 32_768

/** 1 KB a second is the least that speech is coded in, 32 tokens a second the most that it is billed as (Gemini). */
const TOKENS_PER_AUDIO_CHARACTER = 0.024
const LEAST_AUDIO = 256

/**
 * Bounds of a chat or embeddings request.
 *
 * Counted are all texts, names and tool calls of messages, tool and answer schemas, an upper bound for each image, file
 * and recording, and what templates add.
 */
export function promptBound(params: Params, facts: TokenFacts): PromptBound {
  let bytes = 0
  const beside = visit(params, facts, (text) => {
    bytes += Buffer.byteLength(text)
  })
  const plenty = Math.ceil(beside + bytes)
  let counted: number | Promise<number> | undefined
  return {
    plenty,
    exact() {
      counted ??= facts.family === null ? plenty : countExactly(params, facts, facts.family)
      return counted
    },
  }
}

function countExactly(params: Params, facts: TokenFacts, family: NonNullable<TokenFacts['family']>) {
  const texts: string[] = []
  const beside = visit(params, facts, (text) => texts.push(text))
  const whole = (tokens: number) => Math.ceil(beside + tokens)
  if (family === 'demo') return whole(texts.reduce((sum, text) => sum + demoTokens(text), 0))
  const loaded = loadedTokenizer(family)
  const tokens = loaded?.countAll(texts) ?? loadTokenizer(family).then((tokenizer) => tokenizer.countAll(texts))
  return typeof tokens === 'number' ? whole(tokens) : tokens.then(whole)
}

type Show = (text: string) => void

/** Shows all text that becomes prompt, values as JSON; returns the tokens of what is no text. */
function visit(params: Params, facts: TokenFacts, show: Show): number {
  let beside = facts.perRequest
  if (Array.isArray(params.messages))
    for (const message of params.messages) beside += visitMessage(message, facts, show)
  for (const field of ALSO_PROMPT) {
    const value = params[field]
    if (typeof value === 'object' && value !== null) show(JSON.stringify(value) ?? '')
  }
  if (params.tools !== undefined || params.functions !== undefined) beside += facts.perTools
  beside += providerTools(params) * LARGEST_FILE
  if (params.input !== undefined) beside += visitInput(params.input, facts, show)
  return beside
}

/** Tools that the provider runs itself: what they find becomes prompt, and only the provider knows how much it is. */
function providerTools({ tools, web_search_options: search, mcp_servers: servers, cached_content }: Params): number {
  let count =
    (search == null ? 0 : 1) + (Array.isArray(servers) ? servers.length : 0) + (cached_content == null ? 0 : 1)
  if (!Array.isArray(tools)) return count
  for (const tool of tools as (Record<string, unknown> | null)[]) if (tool !== null && isProviders(tool)) count += 1
  return count
}

/** Google's own tools (`{ google_search: {} }`) have no type; a function in the old flat form has none either, but a name. */
function isProviders({ type, name, function: given }: Record<string, unknown>): boolean {
  if (typeof type === 'string') return type !== 'function' && type !== 'custom'
  return given === undefined && name === undefined
}

function visitMessage(message: unknown, facts: TokenFacts, show: Show): number {
  if (typeof message !== 'object' || message === null) return facts.perMessage
  let beside = facts.perMessage
  const fields = message as Record<string, unknown>
  for (const key in fields) {
    const value = fields[key]
    if (key === 'role' || value === null || value === undefined) continue
    if (typeof value === 'string') {
      show(value)
      // Names, call ids and the like stand behind a separator.
      if (key !== 'content') beside += 2
    } else if ((key === 'content' || key === 'images') && Array.isArray(value)) {
      for (const part of value) beside += visitPart(part, facts, show)
    } else {
      show(JSON.stringify(value) ?? '')
    }
  }
  return beside
}

function visitPart(part: unknown, facts: TokenFacts, show: Show): number {
  const { type, text, image_url, input_audio, file, video_url, source } = (part ?? {}) as Record<string, unknown>
  if (type === 'text' && typeof text === 'string') {
    show(text)
    return 1
  }
  if (image_url !== undefined) return facts.perImage
  if (input_audio !== undefined) return audioTokens(lengthOf(input_audio, 'data'))
  if (file !== undefined) return fileTokens(lengthOf(file, 'file_data'))
  if (video_url !== undefined) return LARGEST_FILE
  if (typeof source === 'object') return type === 'image' ? facts.perImage : fileTokens(lengthOf(source, 'data'))
  show(JSON.stringify(part) ?? '')
  return 1
}

/** A text, texts, tokens, or texts as tokens. */
function visitInput(input: unknown, facts: TokenFacts, show: Show): number {
  if (typeof input === 'string') show(input)
  if (!Array.isArray(input)) return facts.perInput
  if (typeof input[0] === 'number') return input.length + facts.perInput
  let beside = 0
  for (const item of input) beside += visitInput(item, facts, show)
  return beside
}

function audioTokens(characters: number | null): number {
  if (characters === null) return LARGEST_AUDIO
  return Math.min(LARGEST_AUDIO, LEAST_AUDIO + characters * TOKENS_PER_AUDIO_CHARACTER)
}

function fileTokens(characters: number | null): number {
  return characters === null ? LARGEST_FILE : Math.min(LARGEST_FILE, characters * TOKENS_PER_FILE_CHARACTER)
}

function lengthOf(part: unknown, field: string): number | null {
  const data = (part as Record<string, unknown> | null)?.[field]
  return typeof data === 'string' && !/^https?:/i.test(data) ? data.length : null
}
