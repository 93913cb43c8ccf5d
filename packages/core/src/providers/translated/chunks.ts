/** OpenAI's SSE events of one streamed answer, as text. The first delta of each choice carries the role. */
export interface ChunkWriter {
  text(content: string, choice?: number): string
  reasoning(text: string, choice?: number): string
  /** A tool call begins; its arguments follow in pieces. `index` counts the calls of one choice from 0. */
  toolCall(call: { index: number; id: string; name: string; arguments?: string }, choice?: number): string
  toolArguments(index: number, piece: string, choice?: number): string
  /**
   * Any other fields of a delta.
   *
   * @param more fields of the choice beside it
   */
  delta(fields: object, choice?: number, more?: object): string
  /** @param more fields of the choice beside it */
  finish(reason: string, more?: object, choice?: number): string
  /** The last chunk, without choices; `more` are fields beside it. Left out for callers who did not ask for usage. */
  usage(usage: object, more?: object): string
}

/** Ends every answer. */
export const DONE = 'data: [DONE]\n\n'

/** @param head of every chunk; `created` is in seconds */
export function chunkWriter(head: { id: string; created: number; model: string }): ChunkWriter {
  const { id, created, model } = head
  const common = JSON.stringify({ id, object: 'chat.completion.chunk', created, model }).slice(0, -1)
  const first = `data: ${common},"choices":[{"index":0,"delta":{`
  const begun = new Set<number>()
  const open = (choice: number) => {
    const start = choice === 0 ? first : `data: ${common},"choices":[{"index":${choice},"delta":{`
    if (begun.has(choice)) return start
    begun.add(choice)
    return `${start}"role":"assistant",`
  }
  const CLOSE = '},"finish_reason":null}]}\n\n'
  return {
    text: (content, choice = 0) => `${open(choice)}"content":${JSON.stringify(content)}${CLOSE}`,
    reasoning: (text, choice = 0) => `${open(choice)}"reasoning_content":${JSON.stringify(text)}${CLOSE}`,
    toolCall({ index, id: callId, name, arguments: given = '' }, choice = 0) {
      const call = { index, id: callId, type: 'function', function: { name, arguments: given } }
      return `${open(choice)}"tool_calls":[${JSON.stringify(call)}]${CLOSE}`
    },
    toolArguments(index, piece, choice = 0) {
      const call = `{"index":${index},"function":{"arguments":${JSON.stringify(piece)}}}`
      return `${open(choice)}"tool_calls":[${call}]${CLOSE}`
    },
    delta(fields, choice = 0, more) {
      // The role comes last, since the relay tells what is opaque by how the delta begins.
      const isFirst = !begun.has(choice)
      begun.add(choice)
      const all = JSON.stringify(isFirst ? { ...fields, role: 'assistant' } : fields)
      const close = more === undefined ? CLOSE : `},${JSON.stringify({ ...more, finish_reason: null }).slice(1)}]}\n\n`
      return `${open(choice)}${all.slice(1, -1)}${close}`
    },
    finish(reason, more = {}, choice = 0) {
      // A delta with nothing but the role ends in a comma that has to go.
      const start = open(choice).replace(/,$/, '')
      const fields = JSON.stringify({ finish_reason: reason, ...more }).slice(1)
      return `${start}},${fields}]}\n\n`
    },
    usage(usage, more = {}) {
      const beside = JSON.stringify(more).slice(1, -1)
      return `data: ${common},"choices":[],"usage":${JSON.stringify(usage)}${beside === '' ? '' : `,${beside}`}}\n\n`
    },
  }
}
