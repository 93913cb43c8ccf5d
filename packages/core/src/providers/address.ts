import { lookup as resolve } from 'node:dns'
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net'
import { HooshError } from '../errors.js'

/**
 * Which addresses a route may connect to. Over https all but those that no provider has; over plain http this machine,
 * and with `privateNetwork` the host's own network: nothing in the clear beyond that.
 */
export type Reach = 'any' | 'private' | 'loopback'

const LOOPBACK = blockList(['127.0.0.0/8'], ['::1/128'])
/** RFC 1918, 6598 (CGNAT, which overlays use) and 4193. */
const PRIVATE = blockList(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'], ['fc00::/7'])
/**
 * Where clouds keep credentials for whoever asks from the inside (link-local; Alibaba, Azure, Oracle, AWS over IPv6), and
 * what is no address of a server: this network, multicast, reserved.
 */
const FORBIDDEN = blockList(
  [
    '0.0.0.0/8',
    '169.254.0.0/16',
    '100.100.100.200/32',
    '168.63.129.16/32',
    '192.0.0.0/24',
    '224.0.0.0/4',
    '240.0.0.0/4',
  ],
  ['::/128', 'fe80::/10', 'fd00:ec2::254/128', 'ff00::/8'],
)

function blockList(v4: readonly string[], v6: readonly string[]): BlockList {
  const list = new BlockList()
  const add = (type: 'ipv4' | 'ipv6') => (range: string) => {
    const [net = '', bits = ''] = range.split('/')
    list.addSubnet(net, Number(bits), type)
  }
  v4.forEach(add('ipv4'))
  v6.forEach(add('ipv6'))
  return list
}

/**
 * What a base URL lets its route reach.
 *
 * @throws HooshError `invalid_options` for plain http to another machine without `privateNetwork`, and for an address that
 *   is no provider's
 */
export function reachOf({ protocol, hostname }: URL, config: { privateNetwork?: boolean }, routeName: string): Reach {
  const host = hostname.replace(/^\[|\]$/g, '')
  const isHere = host === 'localhost' || host.endsWith('.localhost') || isLoopback(host)
  const reach = protocol === 'https:' ? 'any' : isHere ? 'loopback' : 'private'
  if (reach === 'private' && config.privateNetwork !== true) {
    throw new HooshError('invalid_options', {
      message: `The baseUrl of the provider "${routeName}" is plain http to another machine: its key and every prompt would go in the clear. Use https, or say \`privateNetwork: true\` if the server is in your own network.`,
    })
  }
  if (isIP(host) !== 0 && !mayReach(host, reach)) {
    throw new HooshError('invalid_options', {
      message: `The baseUrl of the provider "${routeName}" names an address that cannot be a provider's${reach === 'private' ? ': it is not private' : ''}.`,
    })
  }
  return reach
}

function isLoopback(host: string): boolean {
  return isIP(host) !== 0 && isIn(LOOPBACK, host)
}

/** Whether a route may connect to an address, in whichever notation it came. */
export function mayReach(address: string, reach: Reach): boolean {
  if (isIn(FORBIDDEN, address)) return false
  if (reach === 'any') return true
  return isIn(LOOPBACK, address) || (reach === 'private' && isIn(PRIVATE, address))
}

/** An IPv4 address within IPv6 (mapped, or NAT64 as RFC 6052 writes it) is judged as the IPv4 address it leads to. */
function isIn(list: BlockList, address: string): boolean {
  const plain = address.split('%', 1)[0]!
  const inner = isIPv4(plain) ? plain : innerIPv4(plain)
  return inner === null ? list.check(plain, 'ipv6') : list.check(inner, 'ipv4')
}

/** The last 32 bits of `::ffff:0:0/96`, `64:ff9b::/96` and `::/96`; null for any other address. */
function innerIPv4(address: string): string | null {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const match = /^(?:::ffff:|64:ff9b::|::)([\da-f]{1,4}):([\da-f]{1,4})$/.exec(canonical)
  if (match === null) return null
  const [high, low] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** Resolves names as Node does, and gives only addresses that the route may connect to. */
export function guardedLookup(reach: Reach): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, '')
      const allowed = found.filter(({ address }) => mayReach(address, reach))
      const [first] = allowed
      if (first === undefined) return callback(forbidden(), '')
      if (options.all === true) callback(null, allowed)
      else callback(null, first.address, first.family)
    })
  }
}

/** Told by its code, as errors of the system are. */
function forbidden(): NodeJS.ErrnoException {
  return Object.assign(new TypeError('The name leads to an address that this route may not connect to.'), {
    code: 'EFORBIDDENADDRESS',
  })
}
