import { z } from 'zod'
import type { PayloadStore } from '../audit/payload-store.js'
import type { AuditStore } from '../audit/store.js'
import type { RateStore } from '../budget/rates.js'
import type { BudgetStore } from '../budget/store.js'
import type { CacheStore } from '../cache/store.js'
import type { UsageStore } from '../cost/store.js'
import type { KeyStore } from '../identity/store.js'
import type { Storage } from '../storage/storage.js'
import { type Every, fields, fn, text } from './option-kinds.js'
import { isSlipOf } from './suggest.js'

/** What a store has to have: one that is missing here, or one too many, does not compile. */
type Methods<Store> = { [Name in keyof Store as undefined extends Store[Name] ? never : Name]-?: true }

const store = <Store>(methods: Methods<Store>) =>
  z.custom((value) => missing(value, methods).length === 0, {
    error: ({ input }) => `has to be a store; it lacks ${missing(input, methods).join(', ')}`,
  })

const STORES = {
  budgets: store<BudgetStore>({
    reserve: true,
    extend: true,
    renew: true,
    settle: true,
    release: true,
    expire: true,
    read: true,
    list: true,
    credit: true,
    refund: true,
    entries: true,
    find: true,
    define: true,
    freeze: true,
    forget: true,
    overrides: true,
  }).optional(),
  audit: store<AuditStore>({
    stage: true,
    staged: true,
    link: true,
    heads: true,
    checkpoint: true,
    checkpoints: true,
    trim: true,
    chain: true,
    query: true,
  }).optional(),
  payloads: store<PayloadStore>({
    put: true,
    get: true,
    remove: true,
    key: true,
    addKey: true,
    rewrap: true,
    wrappedByOthers: true,
    erase: true,
    drop: true,
  }).optional(),
  usage: store<UsageStore>({ record: true, totals: true, reset: true }).optional(),
  rates: store<RateStore>({
    take: true,
    add: true,
    giveBack: true,
    enter: true,
    stay: true,
    leave: true,
  }).optional(),
  keys: store<KeyStore>({ add: true, get: true, list: true, replace: true, remove: true }).optional(),
  cache: store<CacheStore>({ get: true, put: true, putIfAbsent: true, delete: true }).optional(),
}

const STORAGE = {
  ...STORES,
  open: fn.optional(),
  sweep: fn.optional(),
  close: fn.optional(),
  describe: text.optional(),
  // Storages that have tables bring their own.
  migrate: fn.optional(),
} satisfies Every<Storage & { migrate: unknown }>

/** Stores by name. Memory fills what is missing, so whatever else is given would be forgotten in silence. */
export const storage = z
  .custom<object>(
    holdsStores,
    'has to be an object with stores: `sqlStorage(database)` of @hoosh/sql or `redisStorage(client)` of @hoosh/redis makes one',
  )
  .transform((value) => (isPlain(value) ? value : withoutOwn(value)))
  .pipe(fields(STORAGE))

/** A database or a client of one is an object of a class, and has no store. */
function holdsStores(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return isPlain(value) || Object.keys(STORES).some((name) => typeof memberOf(value, name) === 'object')
}

function isPlain(value: object): boolean {
  return [Object.prototype, null].includes(Object.getPrototypeOf(value))
}

/** An object of a class keeps members of its own beside its stores, such as a client; a slip of a store's name is none. */
function withoutOwn(value: object): object {
  const names = Object.keys(STORAGE)
  const lacking = names.filter((name) => memberOf(value, name) === undefined)
  const slips = Object.keys(value).filter((key) => lacking.some((name) => isSlipOf(key, name)))
  return Object.fromEntries([...names, ...slips].map((name) => [name, memberOf(value, name)]))
}

function missing(value: unknown, methods: object): string[] {
  return Object.keys(methods).filter((name) => typeof memberOf(value, name) !== 'function')
}

function memberOf(value: unknown, name: string): unknown {
  return (value as Record<string, unknown> | null)?.[name]
}
