import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { carriedOf, restored } from '../../../packages/core/src/providers/anthropic/carried.js'
import type { Block } from '../../../packages/core/src/providers/anthropic/parts.js'

const text = fc.record(
  {
    type: fc.constant('text'),
    text: fc.string({ unit: 'grapheme', minLength: 1 }),
    citations: fc.constant([{ url: 'u' }]),
  },
  { requiredKeys: ['type', 'text'] },
)
const thinking = fc.record({ type: fc.constant('thinking'), thinking: fc.string(), signature: fc.string() })
const search = fc.record({ type: fc.constant('server_tool_use'), id: fc.string(), input: fc.object() })
const call = fc.record({ type: fc.constant('tool_use'), name: fc.string(), input: fc.object() })

/** Blocks in any order, each call with an id of its own. */
const answers = fc
  .array(fc.oneof(text, thinking, search, call), { maxLength: 12 })
  .map((blocks): Block[] =>
    blocks.map((block, index) => (block.type === 'tool_use' ? { ...block, id: `c${index}` } : block)),
  )

const said = (blocks: readonly Block[]) =>
  blocks.map((block) => (block.type === 'text' ? String(block.text) : '')).join('')
const callsIn = (blocks: readonly Block[]) => blocks.filter(({ type }) => type === 'tool_use')

describe('what an answer of Anthropic carries', () => {
  it('gives it back block by block, out of the text as one and the calls in any order', () => {
    fc.assert(
      fc.property(answers, (blocks) => {
        const carried = carriedOf(blocks)
        if (carried === undefined) return
        const texts = said(blocks) === '' ? [] : [{ type: 'text', text: said(blocks) }]
        expect(restored(carried, texts, callsIn(blocks).reverse())).toEqual(blocks)
      }),
    )
  })

  it('is nothing where texts and calls say it all', () => {
    expect(
      carriedOf([
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
        { type: 'tool_use', id: 'c' },
      ]),
    ).toBe(undefined)
    expect(
      carriedOf([
        { type: 'tool_use', id: 'c' },
        { type: 'text', text: 'a' },
      ]),
    ).toHaveLength(2)
  })

  it('stays in front of a message that was changed since: its thinking, and the words of now', () => {
    const blocks: Block[] = [
      { type: 'thinking', signature: 's' },
      { type: 'server_tool_use', id: 'x' },
      { type: 'text', text: 'old' },
    ]
    const now = [{ type: 'text', text: 'newer' }]
    expect(restored(carriedOf(blocks)!, now, [])).toEqual([blocks[0], ...now])
  })
})
