import { lookup as resolve } from 'node:dns'
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net'
import { HooshError } from './errors.js'

/**
 * Which addresses an URL of the operator's may lead to. Over https all but those that no server has; over plain http this machine,
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
 * What an URL lets its connections reach.
 *
 * @param named.what the URL, to begin a sentence with
 * @param named.secret what would go in the clear
 * @throws HooshError `invalid_options` for plain http to another machine without `privateNetwork`, and for an address that
 *   is no server's
 */
export function reachOf(
  { protocol, hostname }: URL,
  config: { privateNetwork?: boolean },
  { what, secret }: { readonly what: string; readonly secret: string },
): Reach {
  const host = hostname.replace(/^\[|\]$/g, '')
  const isHere = host === 'localhost' || host.endsWith('.localhost') || isLoopback(host)
  const reach = protocol === 'https:' ? 'any' : isHere ? 'loopback' : 'private'
  if (reach === 'private' && config.privateNetwork !== true) {
    throw new HooshError('invalid_options', {
      message: `${what} is plain http to another machine: ${secret} would go in the clear. Use https, or say \`privateNetwork: true\` if the server is in your own network.`,
    })
  }
  if (isIP(host) !== 0 && !mayReach(host, reach)) {
    throw new HooshError('invalid_options', {
      message: `${what} names an address that no server of yours can have${reach === 'private' ? ': it is not private' : ''}.`,
    })
  }
  return reach
}

function isLoopback(host: string): boolean {
  return isIP(host) !== 0 && isIn(LOOPBACK, host)
}

/** Whether such a connection may lead to an address, in whichever notation it came. */
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

/** Resolves names as Node does, and gives only addresses that may be connected to. */
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
  return Object.assign(new TypeError('The name leads to an address that may not be connected to.'), {
    code: 'EFORBIDDENADDRESS',
  })
}
