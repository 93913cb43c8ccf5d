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
  const plain = plainOf(address ?? '')
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

/** Whom an address belongs to, as far as it tells: of IPv6 the /64, since one host has as many of those addresses as it likes. */
export function networkOf(address: string): string {
  const plain = plainOf(address)
  if (isIP(plain) !== 6) return plain
  const [head = '', tail] = plain.split('::')
  const [left, right] = [head, tail ?? ''].map((half) => (half === '' ? [] : half.split(':')))
  const groups = tail === undefined ? left! : [...left!, ...Array<string>(8 - left!.length - right!.length).fill('0')]
  return `${groups
    .concat(right!)
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/** Without the zone, and IPv4 as itself. */
function plainOf(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
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
