import { Redis } from 'ioredis'

/** What the books of one pool say, and what its reservations and entries come to, in tokens. */
export interface Balance {
  readonly used: number
  readonly held: number
  readonly open: number
  readonly openHolds: number
  readonly entries: number
}

/** Adds up in one step of the server, so that nothing moves in between; entries from where it was last. */
const ADD_UP = `
local P, pool, last, entries = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local holds, open = 0, 0
for _, id in ipairs(redis.call('ZRANGE', P .. 'open:' .. pool, '0', '-1')) do
  local hold = cmsgpack.unpack(redis.call('GET', P .. 'hold:' .. id))
  if hold.state == 'held' then holds, open = holds + hold.held.t, open + 1 end
end
for _, entry in ipairs(redis.call('XRANGE', P .. 'entries:' .. pool, last, '+')) do
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == 't' then entries = entries + fields[at + 1] end
  end
  last = '(' .. entry[1]
end
local account = redis.call('HMGET', P .. 'account:0:' .. pool, 'ut', 'ht', 'open')
return { account[1] or '0', account[2] or '0', account[3] or '0', tostring(open), tostring(holds), tostring(entries), last }
`

/** Samples a ledger of lifetime pools while others work on it. */
export function balances(url: string, prefix: string) {
  const client = new Redis(url)
  const seen = new Map<string, { last: string; entries: string }>()
  return {
    async of(pool: string): Promise<Balance> {
      const { last, entries } = seen.get(pool) ?? { last: '-', entries: '0' }
      const answer = (await client.eval(ADD_UP, 1, `{${prefix}}:`, pool, last, entries)) as string[]
      const [used, held, counted, open, holds, sum, next] = answer as [string, ...string[]]
      if (counted !== open) throw new TypeError(`${pool} counts ${counted} open holds and has ${open}`)
      seen.set(pool, { last: next!, entries: sum! })
      return {
        used: Number(used),
        held: Number(held),
        open: Number(open),
        openHolds: Number(holds),
        entries: Number(sum),
      }
    },
    close: () => client.disconnect(),
  }
}
