// Takes two orders and charges each in one transaction, of which it commits the first: node order-child.mjs PLACE
// Prints where it stands, and goes on living.
import { createGateway } from '@hoosh/core'
import Database from 'libsql'
import pg from 'pg'
import { storageAt } from './storage.mjs'

const [place] = process.argv.slice(2)
const gateway = createGateway({
  storage: await storageAt(place),
  providers: [{ type: 'demo' }],
  pools: { '*': { tokens: 1_000 } },
  logger: false,
})
await gateway.ready()
const ann = gateway.as({ user: 'ann', pool: 'user:ann' })
const { transaction, run } = place.startsWith('postgres:') ? await onPostgres(new URL(place)) : onSqlite(place)

const order = async (id) => {
  await run('begin')
  const hold = await ann.budget.reserve({ tokens: 300 }, { transaction })
  await run(`insert into $.orders (id) values ('${id}')`)
  await hold.settle({ tokens: 200 }, { transaction })
}
await run('create table $.orders (id text primary key)')
await order('first')
await run('commit')
await order('second')
console.log('one order is committed, one is not')
setInterval(() => {}, 1_000)

async function onPostgres(url) {
  const schema = url.searchParams.get('schema')
  url.search = ''
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  return { transaction: client, run: (text) => client.query(text.replaceAll('$.', `${schema}.`)) }
}

function onSqlite(file) {
  const database = new Database(file)
  return { transaction: database, run: async (text) => void database.exec(text.replaceAll('$.', '')) }
}
