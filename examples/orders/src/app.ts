import { HooshError } from '@hoosh/core'
import { hoosh } from '@hoosh/express'
import { sqlStorage } from '@hoosh/sql'
import express, { type NextFunction, type Request, type Response } from 'express'
import { Kysely, SqliteDialect } from 'kysely'
import Database from 'libsql'

/** The app's own table, in the same database as those of hoosh. */
interface Tables {
  orders: { reference: string; customer: string; pages: number }
}

const TOKENS_A_PAGE = 100

/** A print shop whose customers pay by the page. `file` is an SQLite database; `:memory:` forgets everything at the end. */
export async function createApp(file: string) {
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: new Database(file) }) })
  await db.schema
    .createTable('orders')
    .ifNotExists()
    .addColumn('reference', 'text', (column) => column.primaryKey())
    .addColumn('customer', 'text', (column) => column.notNull())
    .addColumn('pages', 'integer', (column) => column.notNull())
    .execute()

  const ai = hoosh({
    // Who is calling is the app's to know; here it is whoever the request says.
    identify: (req: Request) => {
      const customer = req.get('x-customer')
      return customer ? { user: customer, pool: `customer:${customer}` } : null
    },
    pools: { 'customer:*': { tokens: 1_000, window: 'month' } },
    storage: sqlStorage({ kysely: db }),
    migrate: true,
  })
  // Started before the first transaction, which would otherwise wait for the start, and the start for it.
  await ai.gateway.ready()

  const app = express()
  app.use(ai)
  app.use(express.json())

  app.post('/orders', async (req, res) => {
    const { user } = await req.hoosh.identity()
    const order = { reference: String(req.body?.reference), customer: user, pages: Number(req.body?.pages) }
    const price = { tokens: order.pages * TOKENS_A_PAGE }

    // The order and its charge are one commit: no order that nobody paid for, nothing paid without an order.
    await db.transaction().execute(async (transaction) => {
      const hold = await req.hoosh.budget.reserve(price, { transaction })
      await transaction.insertInto('orders').values(order).execute()
      await hold.settle(price, { transaction })
    })
    res.status(201).json(order)
  })

  app.get('/orders', async (req, res) => {
    const { user } = await req.hoosh.identity()
    res.json(await db.selectFrom('orders').selectAll().where('customer', '=', user).execute())
  })

  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const [status, told] = answerTo(error)
    if (status >= 500) console.error(error)
    res.status(status).json({ error: told })
  })

  const close = async () => {
    await ai.gateway.close()
    await db.destroy()
  }
  return { app, close }
}

/** What hoosh says of the caller's own request or budget is for the caller; of the database, a provider or a fault it is for the log. */
function answerTo(error: unknown): readonly [status: number, told: string] {
  if (/UNIQUE/.test(String(error))) return [409, 'That reference is taken.']
  if (!(error instanceof HooshError)) return [500, 'Something went wrong.']
  return [error.status, error.status < 500 ? error.message : 'Something went wrong. Please try again.']
}
