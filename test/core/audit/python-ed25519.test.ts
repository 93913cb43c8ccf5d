import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { expect, it } from 'vitest'
import { python, pythonSignatures } from './python.js'

const HEAD = Buffer.from('302a300506032b6570032100', 'hex')

/** RFC 8032, section 7.1, tests 1 to 3. */
const RFC_8032 = [
  [
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
] as const

it.skipIf(python === null)(
  `Ed25519 of the verifier in Python agrees with the RFC's vectors and with OpenSSL${python === null ? ' (skipped: no python3 here)' : ''}`,
  () => {
    const cases: { publicKey: string; signature: string; message: string }[] = RFC_8032.map(
      ([publicKey, message, signature]) => ({ publicKey, message, signature }),
    )
    for (let index = 0; index < 20; index += 1) {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519')
      const message = randomBytes(index * 7)
      const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(HEAD.length)
      const one = {
        publicKey: raw.toString('hex'),
        message: message.toString('hex'),
        signature: sign(null, message, privateKey).toString('hex'),
      }
      const bent = Buffer.from(one.signature, 'hex')
      bent[index * 3]! ^= 1
      cases.push(one, { ...one, signature: bent.toString('hex') }, { ...one, message: `${one.message}00` })
      // S of at least the group's order says the same in sloppy verifiers.
      const order = 2n ** 252n + 27742317777372353535851937790883648493n
      const s = BigInt(`0x${Buffer.from(one.signature.slice(64), 'hex').reverse().toString('hex')}`) + order
      const large = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex')
      cases.push({ ...one, signature: one.signature.slice(0, 64) + large })
    }
    const expected = cases.map(({ publicKey, message, signature }) => {
      const key = createPublicKey({
        key: Buffer.concat([HEAD, Buffer.from(publicKey, 'hex')]),
        format: 'der',
        type: 'spki',
      })
      return verify(null, Buffer.from(message, 'hex'), key, Buffer.from(signature, 'hex'))
    })
    expect(expected.slice(0, 3)).toEqual([true, true, true])
    expect(pythonSignatures(cases)).toEqual(expected)
  },
)
