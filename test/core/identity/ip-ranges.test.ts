import { describe, expect, it } from 'vitest'
import { inRanges, isRange, networkOf } from '../../../packages/core/src/identity/ip-ranges.js'

describe('ranges of addresses', () => {
  it.each([
    ['203.0.113.7', ['203.0.113.0/24'], true],
    ['203.0.114.7', ['203.0.113.0/24'], false],
    ['203.0.113.7', ['203.0.113.7'], true],
    ['203.0.113.8', ['203.0.113.7'], false],
    ['::ffff:203.0.113.7', ['203.0.113.0/24'], true],
    ['203.0.113.7', ['::ffff:203.0.113.0/120'], false],
    ['10.1.2.3', ['192.168.0.0/16', '10.0.0.0/8'], true],
    ['1.2.3.4', ['0.0.0.0/0'], true],
    ['1.2.3.4', ['::/0'], false],
    ['2001:db8::1', ['2001:db8::/32'], true],
    ['2001:DB8:0:0::1', ['2001:db8::1'], true],
    ['2001:db9::1', ['2001:db8::/32'], false],
    ['fe80::1%eth0', ['fe80::/10'], true],
    ['not an address', ['0.0.0.0/0', '::/0'], false],
    [undefined, ['0.0.0.0/0', '::/0'], false],
    ['1.2.3.4', [], false],
  ])('%s in %j: %s', (address, ranges, expected) => {
    expect(inRanges(address, ranges)).toBe(expected)
  })

  it.each([
    '',
    'x',
    '203.0.113.0/33',
    '203.0.113.0/',
    '203.0.113/24',
    '1.2.3.4/8/8',
    '::1/129',
    'fe80::1%1',
    '1.2.3.4/-1',
  ])('%j is none', (text) => expect(isRange(text)).toBe(false))

  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1:2%eth0', 'fe80:0:0:0::/64'],
  ])('%s belongs to %s', (address, network) => expect(networkOf(address)).toBe(network))
})
