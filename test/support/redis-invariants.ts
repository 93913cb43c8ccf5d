import { Redis } from 'ioredis'

/** What the books of one pool say, and what its reservations and entries come to, in tokens. */
export interface Balance {
  readonly used: number
  readonly held: number
  readonly openHolds: number
  readonly entries: number
  readonly open: number
}

/** Adds up in one step of the server, so that nothing moves in between. */
const ADD_UP = `
local P, pool = KEYS[1], ARGV[1]
local holds, open = 0, 0
for _, id in ipairs(redis.call('ZRANGE', P .. 'open:' .. pool, '0', '-1')) do
  local hold = cmsgpack.unpack(redis.call('GET', P .. 'hold:' .. id))
  if hold.state == 'held' then holds, open = holds + hold.held.t, open + 1 end
end
local entries = 0
for _, entry in ipairs(redis.call('XRANGE', P .. 'entries:' .. pool, '-', '+')) do
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == 't' then entries = entries + fields[at + 1] end
  end
end
local account = redis.call('HMGET', P .. 'account:0:' .. pool, 'ut', 'ht', 'open')
return { tonumber(account[1] or 0), tonumber(account[2] or 0), holds, entries, tonumber(account[3] or 0) == open and open or -1 }
`

/** Samples a ledger of lifetime pools while others work on it. */
export function balances(url: string, prefix: string) {
  const client = new Redis(url)
  return {
    async of(pool: string): Promise<Balance> {
      const answer = (await client.eval(ADD_UP, 1, `{${prefix}}:`, pool)) as number[]
      const [used, held, openHolds, entries, open] = answer as [number, number, number, number, number]
      return { used, held, openHolds, entries, open }
    },
    close: () => client.disconnect(),
  }
}
