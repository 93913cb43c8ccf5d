import {
  createGateway,
  type Gateway,
  type HooshContext,
  HooshError,
  type HooshOptions,
  type Identity,
} from '@hoosh/core'

/** An app with hoosh in it, as data, so that one in another process can be told as well. */
export interface AppPlan {
  /** What the host does with bodies before hoosh sees them: nothing, unless said. */
  readonly parser?: 'json' | 'raw'
  readonly compression?: boolean
  readonly gateways: readonly GatewayPlan[]
}

/** One gateway of an app, and where it is mounted. */
export interface GatewayPlan {
  /** `''` for an app's root. */
  readonly path: string
  readonly options: HooshOptions
  /** How `identify` takes a request; `absent` leaves it out. */
  readonly identify?: 'by token' | 'throws' | 'refuses' | 'absent'
}

/** A way to mount hoosh. Everything that the cases have to know of it stands here. */
export interface Mount {
  readonly name: string
  /** A request that is not hoosh's goes on to the host; else it is a JSON 404. */
  readonly hasNext: boolean
  /** It sees the socket's address, so callers on this machine can be told from others. */
  readonly seesSocket: boolean
  /** The host sends answers without their length, whatever they say. */
  readonly dropsLength?: boolean
  /** Cases that mean nothing here, by their names, and why. */
  readonly without: Readonly<Record<string, string>>
  /** What has to be done before an app can be started, within `PREPARE_MS`: once for all that use the mount. */
  prepare?(): Promise<void>
  start(plan: AppPlan): Promise<App>
}

/** How long building an app may take on a machine that does other things too. */
export const PREPARE_MS = 600_000

/** An app that runs. */
export interface App {
  readonly url: string
  close(): Promise<void>
}

/** The gateway of a plan with what no plan can carry. */
export function gatewayOf({ options }: GatewayPlan): Gateway {
  return createGateway({ logger: false, ...options })
}

type Resolver = (request: unknown) => Identity | null

/** A host's login that knows everybody by a token of their name: `alice-token`. */
const byToken: Resolver = (request) => {
  const { headers } = request as { headers: Headers | Record<string, string | undefined> }
  const sent =
    typeof headers.get === 'function' ? headers.get('authorization') : (headers as Record<string, string>).authorization
  const user = /^bearer (\w+)-token$/i.exec(sent ?? '')?.[1]
  return user === undefined ? null : { user, pool: `user:${user}`, roles: user === 'admin' ? ['admin'] : [] }
}

/** A secret that no answer may show. */
export const LOGIN_SECRET = 'password-of-the-session-store'

const RESOLVERS = {
  'by token': { identify: byToken },
  throws: {
    identify: (() => {
      throw new TypeError(`connect ECONNREFUSED ${LOGIN_SECRET}`)
    }) as Resolver,
  },
  refuses: {
    identify: (() => {
      throw new HooshError('store_unavailable', { message: 'The session store does not answer.' })
    }) as Resolver,
  },
  absent: {},
}

/** What a mount is given beside its gateway. */
export function settingsOf({ identify = 'by token' }: GatewayPlan): { identify?: Resolver } {
  return RESOLVERS[identify]
}

/** What the host answers itself: who calls, by way of hoosh's context, or a page. Rejects where it lets an error pass. */
export async function hostAnswer(path: string, context: () => HooshContext): Promise<{ status: number; text: string }> {
  if (path.endsWith('/unguarded')) return { status: 200, text: JSON.stringify(await context().identity()) }
  if (!path.endsWith('/whoami')) return { status: 404, text: 'a page of the host' }
  const said = await context()
    .identity()
    .catch(({ code }: HooshError) => ({ code }))
  return { status: 200, text: JSON.stringify(said) }
}
