import { demoTokens } from '../../context/demo-tokens.js'

type Params = Readonly<Record<string, unknown>>

/** Prompt tokens as the demo provider bills them: the text of each message, what tools were called, the tools offered. */
export function demoPromptTokens(params: Params): number {
  const messages = listOf(params.messages).reduce((sum: number, message) => sum + messageTokens(message), 0)
  return messages + (params.tools === undefined ? 0 : demoTokens(JSON.stringify(params.tools)))
}

function messageTokens(message: unknown): number {
  if (typeof message !== 'object' || message === null) return 0
  const { content, tool_calls: calls } = message as { content?: unknown; tool_calls?: unknown }
  return demoTokens(textOfContent(content, '')) + (calls === undefined ? 0 : demoTokens(JSON.stringify(calls)))
}

/** The text of a message, whether it came as a string or in parts; parts that are no text count nothing. */
export function textOfContent(content: unknown, between = ' '): string {
  if (typeof content === 'string') return content
  const texts = listOf(content).map((part) => (part as { text?: unknown } | null)?.text)
  return texts.filter((text) => typeof text === 'string').join(between)
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
