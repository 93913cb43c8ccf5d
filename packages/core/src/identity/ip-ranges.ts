import { BlockList, isIP } from 'node:net'

/** Whether a text is an address, or a network as `203.0.113.0/24` or `2001:db8::/32`. */
export function isRange(text: string): boolean {
  return parsed(text) !== null
}

/**
 * Whether an address lies in one of the ranges. An IPv4 address that came as IPv6 (`::ffff:203.0.113.7`) counts as what
 * it is; an address that is none lies nowhere.
 */
export function inRanges(address: string | undefined, ranges: readonly string[]): boolean {
  const plain = (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  const family = isIP(plain)
  if (family === 0) return false
  return ranges.some((text) => {
    const range = parsed(text)
    if (range === null || range.family !== family) return false
    const list = new BlockList()
    list.addSubnet(range.network, range.bits, nameOf(family))
    return list.check(plain, nameOf(family))
  })
}

function parsed(text: string): { network: string; bits: number; family: number } | null {
  const [network = '', suffix, ...more] = text.split('/')
  const family = isIP(network)
  const most = family === 6 ? 128 : 32
  if (family === 0 || more.length > 0 || network.includes('%')) return null
  if (suffix === undefined) return { network, bits: most, family }
  if (!/^\d{1,3}$/.test(suffix) || Number(suffix) > most) return null
  return { network, bits: Number(suffix), family }
}

const nameOf = (family: number) => (family === 6 ? 'ipv6' : 'ipv4')
