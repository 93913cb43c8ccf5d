export type { Amount, Capacity } from './amount.js'
export type { AuditDetails, AuditEntry, AuditValue } from './audit/store.js'
export type { CreditSnapshot, PoolSnapshot } from './budget/snapshot.js'
export type { Entry } from './budget/store.js'
export type { CancelSignal } from './cancel.js'
export { asHooshError, ERRORS, type ErrorCode, type ErrorDetails, HooshError } from './errors.js'
export type { BodySource, ByteSink, GatewayReply, GatewayRequest } from './exchange.js'
export { createGateway } from './gateway.js'
export type {
  BrowserToken,
  BrowserTokenOptions,
  CallOptions,
  ChatCompletion,
  ChatCompletionChunk,
  ChatMessage,
  ChatParams,
  ContextCaller,
  Credentials,
  EmbeddingParams,
  EmbeddingResponse,
  EntriesPage,
  Gateway,
  HooshContext,
  HooshRun,
  HostAmount,
  HostCredit,
  HostRefund,
  HostReservation,
  ReservationOptions,
  RunOptions,
  ToolCall,
  ToolCallDelta,
  WireUsage,
} from './host.js'
export type { PageHeaders } from './identity/browser-token.js'
export { type BrowserTokenRules, browserTokens } from './identity/browser-tokens.js'
export { bearerTokens, firstOf, fromJwt, fromReqUser } from './identity/resolvers.js'
export { type VirtualKeyOptions, virtualKeys } from './identity/virtual-keys.js'
export type {
  AuditOptions,
  BudgetOptions,
  CallInfo,
  CallResult,
  Credential,
  Deadlines,
  DlpAction,
  DlpContent,
  DlpFinding,
  DlpLevel,
  DlpOptions,
  DlpPattern,
  DlpRuling,
  DlpVerdict,
  Hooks,
  HooshEvent,
  HooshOptions,
  Identify,
  Identity,
  KeyOptions,
  LimitOptions,
  Limits,
  Logger,
  MetricsOptions,
  ModelLimits,
  PayloadOptions,
  PoolSpec,
  PriceSpec,
  ProviderOptions,
  ProviderType,
  RoutingOptions,
  SliceSpec,
  Strategy,
  Window,
} from './options.js'
export {
  type AiSdkEmbeddingModel,
  type AiSdkModel,
  type AiSdkProvider,
  type AiSdkRouteOptions,
  type AiSdkSource,
  fromAiSdk,
} from './providers/ai-sdk/source.js'
export type { Storage } from './storage/storage.js'
