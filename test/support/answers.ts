import type { CallAs, Till } from './money.js'

interface Chunk {
  readonly choices?: { delta: { content?: string | null }; finish_reason: string | null }[]
  readonly usage?: Record<string, unknown> | null
  readonly error?: { code: string; type: string }
}

/** A streamed answer, taken apart. */
export interface Streamed {
  readonly reply: Response
  /** Everything between blank lines. */
  readonly events: readonly string[]
  readonly said: string
  readonly finishes: readonly string[]
  readonly usage: readonly Record<string, unknown>[]
  /** What the comment before `[DONE]` says; null where there is none. */
  readonly facts: Record<string, unknown> | null
  readonly error: Chunk['error']
  readonly isDone: boolean
}

export async function streamed(counter: Till, body: Record<string, unknown>, as: CallAs = {}): Promise<Streamed> {
  const reply = await counter.call({ ...body, stream: true }, as)
  return takenApart(reply, await reply.text())
}

export function takenApart(reply: Response, text: string): Streamed {
  const events = text.split('\n\n').filter((event) => event !== '')
  const chunks = events
    .filter((event) => event.startsWith('data: ') && event !== 'data: [DONE]')
    .map((event) => JSON.parse(event.slice('data: '.length)) as Chunk)
  const choices = chunks.flatMap((chunk) => chunk.choices ?? [])
  const isDone = events.at(-1) === 'data: [DONE]'
  const comment = /^: hoosh (\{.*\})$/.exec(events.at(-2) ?? '')
  return {
    reply,
    events,
    said: choices.map(({ delta }) => delta.content ?? '').join(''),
    finishes: choices.flatMap(({ finish_reason }) => finish_reason ?? []),
    usage: chunks.flatMap(({ usage }) => (usage == null ? [] : [usage])),
    facts: isDone && comment !== null ? (JSON.parse(comment[1]!) as Record<string, unknown>) : null,
    error: chunks.find(({ error }) => error !== undefined)?.error,
    isDone,
  }
}

export const words = (text: string) => text.split(' ').filter((word) => word !== '').length
