import { createHoosh, type NextHoosh } from '@hoosh/next'
import { type AppPlan, type GatewayPlan, settingsOf } from '../../../plan'

/** What the test wants of this app; nothing while it is built. */
const plan: AppPlan = JSON.parse(process.env.APP_PLAN ?? '{ "gateways": [] }')

const hooshOf = (gateway: GatewayPlan): NextHoosh =>
  createHoosh({ logger: false, ...gateway.options, basePath: gateway.path, ...settingsOf(gateway) })

/** As hosts write it: the secret is there when the app runs, not when it is built. */
const inBuild: GatewayPlan = { path: '', options: { providers: [{ type: 'openai', apiKey: '$SECRET_OF_THE_HOST' }] } }

const [first = inBuild] = plan.gateways

export const ai = hooshOf(first)

export const below: ReadonlyMap<string, NextHoosh> = new Map(
  plan.gateways.filter(({ path }) => path !== '').map((gateway) => [gateway.path, hooshOf(gateway)]),
)
