import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import { HooshError } from '../errors.js'

/**
 * Where the machines of clouds keep their own credentials, link-local addresses all: no model listens there. AWS, Azure,
 * GCP and others (169.254.169.254, fd00:ec2::254), Alibaba (100.100.100.200), Azure's wire server (168.63.129.16).
 */
const METADATA = blockList(
  ['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32', '0.0.0.0/8'],
  ['fe80::/10', 'fd00:ec2::254/128', 'fd20:ce::254/128', '::/128'],
)

/** Loopback and private networks (RFC 1918, 4193, 6598), to which plain HTTP may go. */
const NEAR = blockList(
  ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'],
  ['::1/128', 'fc00::/7'],
)

/** Names that clouds give the same service. */
const METADATA_NAMES = /^(?:metadata(?:\.google\.internal|\.goog)?|instance-data(?:\.ec2\.internal)?)\.?$/i

/** Where a provider is reached, as its base URL says. */
export interface Place {
  readonly routeName: string
  readonly protocol: string
  /** As `URL` writes it: an IPv6 address in brackets. */
  readonly hostname: string
  /** The operator knows that the key travels in the clear. */
  readonly plainHttp: boolean
}

/**
 * Looks at a base URL before anything is sent.
 *
 * @throws HooshError `invalid_options` where it names an address or a name that is never called
 */
export function checkPlace(place: Place): void {
  const address = place.hostname.replace(/^\[|\]$/g, '')
  const fault = METADATA_NAMES.test(address) ? IS_METADATA : isIP(address) === 0 ? null : faultOf(address, place)
  if (fault !== null) throw refused(place, fault)
}

type Lookup = typeof systemLookup
type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

/**
 * A lookup of names that lets no address pass that may not be called, whatever the name: it is the addresses which are
 * connected to that are looked at, so an answer that changes from one lookup to the next changes nothing.
 */
export function guardedLookup(place: Place, lookup: Lookup = systemLookup): Lookup {
  const guarded = (hostname: string, options: LookupOptions, callback: (...answer: never[]) => void) => {
    const answer = callback as unknown as (error: Error | null, address?: unknown, family?: number) => void
    const looked: Answer = (error, addresses) => {
      if (error !== null) return answer(error)
      for (const { address } of addresses) {
        const fault = faultOf(address, place)
        if (fault !== null) return answer(refused(place, fault))
      }
      if (options.all === true) answer(null, addresses)
      else answer(null, addresses[0]!.address, addresses[0]!.family)
    }
    lookup(hostname, { ...options, all: true }, looked)
  }
  return guarded as unknown as Lookup
}

const IS_METADATA = 'is where a machine keeps its own credentials, and is never called'
const IS_PLAIN =
  'is neither this machine nor a private network, and plain http would show the key and the prompts to everybody on the way; use https, or say `plainHttp: true`'

function faultOf(address: string, { protocol, plainHttp }: Place): string | null {
  if (isIn(METADATA, address)) return IS_METADATA
  return protocol === 'http:' && !plainHttp && !isIn(NEAR, address) ? IS_PLAIN : null
}

/** An IPv4 address may come in IPv6's clothes: mapped (::ffff:0:0/96) or through NAT64 (64:ff9b::/96). */
function isIn(list: BlockList, address: string): boolean {
  if (isIP(address) === 4) return list.check(address, 'ipv4')
  const inner = embedded(address)
  return list.check(address, 'ipv6') || (inner !== null && list.check(inner, 'ipv4'))
}

function embedded(address: string): string | null {
  const mapped = /^(?:::ffff:|64:ff9b::)(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(address)
  if (mapped === null) return null
  const [, dotted, high = '', low = ''] = mapped
  if (dotted !== undefined) return dotted
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return bits.flatMap((part) => [part >> 8, part & 0xff]).join('.')
}

function refused({ routeName }: Place, fault: string): HooshError {
  return new HooshError('invalid_options', { message: `The address of the provider "${routeName}" ${fault}.` })
}

function blockList(v4: readonly string[], v6: readonly string[]): BlockList {
  const list = new BlockList()
  const add = (subnet: string, family: 'ipv4' | 'ipv6') => {
    const [net, prefix] = subnet.split('/') as [string, string]
    list.addSubnet(net, Number(prefix), family)
  }
  for (const subnet of v4) add(subnet, 'ipv4')
  for (const subnet of v6) add(subnet, 'ipv6')
  return list
}
