import { audit, auditCheckpoints, auditExport, auditVerify } from './audit.js'
import { chatCompletions, embeddings } from './chat.js'
import { costEstimate, costRecommend, costs, costsReset } from './costs.js'
import { health, healthHeartbeat, healthLive, healthProviders, healthReady, root } from './health.js'
import { keysCreate, keysGet, keysList, keysRevoke, keysRotate } from './keys.js'
import { apiTags, modelsDelete, modelsPull } from './library.js'
import { metrics, rootMetrics } from './metrics.js'
import { model, models, modelsCatalog } from './models.js'
import { auditErase, auditPayload } from './payloads.js'
import { creditsCreate, deletePool, poolHistory, putPool, refundsCreate } from './pools.js'
import { queueStatus } from './queue.js'
import type { RouteDefinition } from './route.js'
import { runsClose, runsGet, runsOpen } from './runs.js'
import { tokensCheck, tokensPools, tokensReport, tokensReserve } from './tokens.js'
import { catalogSync, trainingStatus } from './training.js'

/** Every endpoint there is. Access, money and secrets are tested over this list, so that none can be forgotten. */
export const ROUTES: readonly RouteDefinition[] = [
  chatCompletions,
  embeddings,
  models,
  modelsCatalog,
  modelsPull,
  modelsDelete,
  apiTags,
  model,
  tokensCheck,
  tokensReserve,
  tokensReport,
  tokensPools,
  runsOpen,
  runsGet,
  runsClose,
  putPool,
  deletePool,
  poolHistory,
  creditsCreate,
  refundsCreate,
  costs,
  costsReset,
  costEstimate,
  costRecommend,
  keysCreate,
  keysList,
  keysGet,
  keysRotate,
  keysRevoke,
  audit,
  auditExport,
  auditCheckpoints,
  auditVerify,
  auditPayload,
  auditErase,
  health,
  healthLive,
  healthReady,
  healthProviders,
  healthHeartbeat,
  queueStatus,
  trainingStatus,
  catalogSync,
  metrics,
  rootMetrics,
  root,
]
