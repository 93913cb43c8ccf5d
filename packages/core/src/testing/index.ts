export { type FakeClock, fakeClock } from './fake-clock.js'
export { type FaultProxy, faultProxy, type LineFaults } from './fault-proxy.js'
export { type Gate, gate } from './gate.js'
export { KILL_POINTS, type KillPoints, killPoints } from './kill-points.js'
export type { Fault, Replay, Script, UsageClaim } from './script.js'
export type { ChatRequest } from './scripted-answer.js'
export { scriptedPromptTokens } from './scripted-answer.js'
export type { Bill, BilledAttempt } from './scripted-bill.js'
export {
  type ScriptedProvider,
  type ScriptedProviderOptions,
  type ScriptedRequest,
  scriptedProvider,
} from './scripted-provider.js'
