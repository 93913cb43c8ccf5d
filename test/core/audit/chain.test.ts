import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GENESIS, hasher, headOf, link, tagger, writerKey } from '../../../packages/core/src/audit/chain.js'
import { answered, recordOf } from './support.js'

const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))

describe('the chain', () => {
  it('hashes domain, writer, number, the hash before and the text, as documented', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.maxSafeNat(), hex, fc.string(), (writer, seq, previous, body) => {
        const name = Buffer.from(writer)
        const [length, number] = [Buffer.alloc(4), Buffer.alloc(8)]
        length.writeUInt32BE(name.length)
        number.writeBigUInt64BE(BigInt(seq))
        const inner = createHash('sha256').update(body).digest()
        const parts = [Buffer.from('hoosh-audit-v1\0'), length, name, number, Buffer.from(previous, 'hex'), inner]
        expect(hasher(writer)(seq, previous, body)).toBe(
          createHash('sha256').update(Buffer.concat(parts)).digest('hex'),
        )
      }),
    )
  })

  it('tags are HMAC-SHA256 of the raw hash', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), hex, (root, writer, hash) => {
        const key = createHmac('sha256', root).update('hoosh-writer').update(Buffer.alloc(1)).update(writer).digest()
        expect(writerKey(root, writer)).toEqual(key)
        expect(tagger(key)(hash)).toBe(createHmac('sha256', key).update(Buffer.from(hash, 'hex')).digest('hex'))
      }),
    )
  })

  it('a tagger can be asked again: nothing of one entry stays for the next', () => {
    const key = writerKey('secret', 'n/1')
    const [tagOf, hashes] = [tagger(key), ['ab', 'cd', 'ab'].map((pair) => pair.repeat(32))]
    expect(hashes.map(tagOf)).toEqual(hashes.map((hash) => tagger(key)(hash)))
  })

  it('numbers entries from 1 and each follows the one before, over batches too', () => {
    const chain = { writer: 'n/1', head: GENESIS, key: writerKey('secret', 'n/1') }
    const records = ['a', 'b', 'c', 'd'].map(answered)
    const whole = link(records, chain)
    const half = link(records.slice(0, 2), chain)
    const rest = link(records.slice(2), { ...chain, head: headOf(half, GENESIS) })
    expect([...half, ...rest]).toEqual(whole)
    expect(whole.map(({ integrity }) => integrity.seq)).toEqual([1, 2, 3, 4])
    expect(whole.map(({ integrity }) => integrity.previous_hash)).toEqual([
      GENESIS.hash,
      ...whole.slice(0, 3).map(({ integrity }) => integrity.hash),
    ])
  })

  it('without a key an entry has a hash and no tag', () => {
    const [entry] = link([recordOf('a')], { writer: 'n/1', head: GENESIS, key: null })
    expect(entry!.integrity).toMatchObject({ version: '2', epoch: 0, signature: '' })
    expect(entry!.integrity.hash).toMatch(/^[0-9a-f]{64}$/)
  })

  it('the same record has another hash for another writer, number or history', () => {
    const hashOf = (writer: string, head = GENESIS) =>
      link([recordOf('a')], { writer, head, key: null })[0]!.integrity.hash
    const hashes = [
      hashOf('n/1'),
      hashOf('n/2'),
      hashOf('n/1', { ...GENESIS, seq: 1 }),
      hashOf('n/1', { seq: 0, hash: 'f'.repeat(64) }),
    ]
    expect(new Set(hashes).size).toBe(4)
  })
})
