import { checkMountOptions } from './config/settings.js'
import { createGateway } from './gateway.js'
import type { Gateway } from './host.js'
import type { HooshOptions, Identify } from './options.js'

/** What belongs to one mount of a gateway rather than to the gateway. */
export interface MountSettings<Request> {
  /** Who is calling. Without it a mount serves only whom it can tell is harmless: docs/identity.md. */
  identify?: Identify<Request>
}

/** Options of a gateway and of its only mount. */
export type MountOptions<Request> = HooshOptions & MountSettings<Request>

/** A gateway, and who calls it by way of this mount. */
export interface Mount<Request> {
  readonly gateway: Gateway
  readonly identify: (request: Request) => ReturnType<Identify<Request>>
}

/** What differs between kinds of mounts. */
interface MountKind<Request> {
  readonly anonymous: (gateway: Gateway) => Identify<Request>
  /** What such a mount means, for the log; null where the gateway warns of it anyway. */
  readonly warning: (gateway: Gateway) => string | null
  readonly knows?: readonly string[]
}

/**
 * The gateway that a mount was given, or one of its own made from options, and who decides who calls.
 *
 * @param kind who calls where the host does not say, and the names of this mount's settings where it has more than `identify`
 * @throws HooshError `invalid_options`
 */
export function mountWith<Request>(
  optionsOrGateway: MountOptions<Request> | Gateway | undefined,
  settings: MountSettings<Request>,
  kind: MountKind<Request>,
): Mount<Request> {
  const { knows = ['identify'] } = kind
  if (isGateway(optionsOrGateway)) {
    checkMountOptions(undefined, settings, knows)
    return mounted(optionsOrGateway, settings.identify, kind)
  }
  checkMountOptions(optionsOrGateway, settings, knows)
  const { identify = settings.identify, ...options } = optionsOrGateway ?? {}
  return mounted(createGateway(optionsOrGateway && options), identify, kind)
}

function mounted<Request>(
  gateway: Gateway,
  identify: Identify<Request> | undefined,
  { anonymous, warning }: MountKind<Request>,
): Mount<Request> {
  gateway.noteMount(identify === undefined ? warning(gateway) : null)
  return { gateway, identify: knowing(gateway, identify) ?? anonymous(gateway) }
}

/** An app of Express has a `handle` as well. */
function isGateway(given: object | undefined): given is Gateway {
  return typeof given === 'object' && given !== null && 'handle' in given && 'serves' in given
}

/** Resolvers of what hoosh itself has issued ask the gateway. */
function knowing<Request>(
  gateway: Gateway,
  identify: Identify<Request> | undefined,
): ((request: Request) => ReturnType<Identify<Request>>) | undefined {
  return identify && ((request) => identify(request, gateway))
}
