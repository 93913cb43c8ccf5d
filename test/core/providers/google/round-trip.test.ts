import fc from 'fast-check'
import { expect, it } from 'vitest'
import { googleDialect } from '../../../../packages/core/src/providers/google/dialect.js'
import { asking } from '../translated/asking.js'

interface Part {
  readonly text?: string
  readonly thought?: true
  readonly thoughtSignature?: string
  readonly functionCall?: { id?: string; name: string; args: object }
  readonly inlineData?: { mimeType: string; data: string }
  readonly executableCode?: { code: string }
  readonly toolResponse?: { response: object }
}

const signed = (part: Part) =>
  fc.option(fc.base64String({ minLength: 4, maxLength: 12 }), { nil: undefined }).map((signature) => {
    return signature === undefined ? part : { ...part, thoughtSignature: signature }
  })
const words = fc.string({ unit: 'grapheme', maxLength: 8 })
const part: fc.Arbitrary<Part> = fc
  .oneof(
    words.map((text): Part => ({ text })),
    words.map((text): Part => ({ text, thought: true })),
    fc.dictionary(fc.string({ maxLength: 3 }), fc.jsonValue({ maxDepth: 1 })).map((args): Part => {
      return { functionCall: { name: 'f', args } }
    }),
    fc.base64String({ minLength: 4 }).map((data): Part => ({ inlineData: { mimeType: 'image/png', data } })),
    words.map((code): Part => ({ executableCode: { code } })),
    words.map((found): Part => ({ toolResponse: { response: { found } } })),
  )
  .chain(signed)

/** Parts as they mean the same: unsigned texts in a row are one, empty ones none; ids are ours where there was none. */
function meaning(parts: readonly Part[]): Part[] {
  const all: Part[] = []
  for (const { functionCall, ...rest } of parts) {
    const last = all.at(-1)
    const isText = (one: Part | undefined) => one?.text !== undefined && one.thoughtSignature === undefined
    if (functionCall !== undefined)
      all.push({ ...rest, functionCall: { name: functionCall.name, args: functionCall.args } })
    else if (rest.text === '' && isText(rest)) continue
    else if (isText(rest) && isText(last) && last!.thought === rest.thought)
      all[all.length - 1] = { ...last, text: `${last!.text}${rest.text}` }
    else all.push(rest)
  }
  return all
}

const ask = (messages: object[]) => asking(googleDialect, { model: 'gemini-2.5-flash', messages })
const user = { role: 'user', content: 'Hi' }

/** A streamed answer as the message that clients put together. */
function collected(chunks: { choices: { delta: Record<string, unknown> }[] }[]): Record<string, unknown> {
  const message: Record<string, unknown> = { role: 'assistant', content: null }
  for (const { choices } of chunks) {
    for (const [key, value] of Object.entries(choices[0]?.delta ?? {})) {
      const before = message[key]
      if (key === 'role') continue
      if (typeof value === 'string') message[key] = `${(before as string | null | undefined) ?? ''}${value}`
      else message[key] = Array.isArray(value) ? [...((before as unknown[] | undefined) ?? []), ...value] : value
    }
  }
  return message
}

it('whatever an answer holds comes back as it was, plain and streamed', () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (drawn) => {
      const parts = JSON.parse(JSON.stringify(drawn)) as Part[]
      const wanted = meaning(parts)
      fc.pre(wanted.length > 0)
      const whole = { candidates: [{ content: { parts }, finishReason: 'STOP' }], responseId: 'r' }
      const plain = ask([user]).reply(whole).choices[0].message
      const pieces = parts.map((one, index) => ({
        candidates: [{ content: { parts: [one] }, ...(index === parts.length - 1 ? { finishReason: 'STOP' } : {}) }],
        responseId: 'r',
      }))
      const streamed = collected(ask([user]).stream(...pieces).chunks)
      for (const message of [plain, streamed]) {
        const { contents } = ask([user, message]).body
        expect(meaning(contents[1].parts)).toEqual(wanted)
      }
    }),
    { numRuns: 300 },
  )
})
