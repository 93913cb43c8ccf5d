import { existsSync, readFileSync } from 'node:fs'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { expect, it, onTestFinished } from 'vitest'
import { sqliteFile } from '../support/sqlite.js'

it('an erased key is in the file of SQLite no more, not even where it stood', async () => {
  const sqlite = sqliteFile()
  const database = new Database(sqlite.file)
  onTestFinished(async () => {
    database.close()
    await sqlite.remove()
  })
  const storage = sqlStorage(database)
  await storage.open!({ migrate: true })
  const wrapped = Buffer.from('the sixty bytes that are a key, wrapped, as long as all are.')
  await storage.payloads.addKey({ subject: 'a', id: 'key-a', wrappedBy: 'w', wrapped })
  await storage.payloads.addKey({ subject: 'b', id: 'key-b', wrappedBy: 'w', wrapped: Buffer.alloc(60, 'b') })
  const isThere = () => {
    database.prepare('pragma wal_checkpoint(truncate)').all([])
    const files = [sqlite.file, `${sqlite.file}-wal`].filter((file) => existsSync(file))
    return files.some((file) => readFileSync(file).includes(wrapped))
  }
  expect(isThere()).toBe(true)
  expect([await storage.payloads.erase('a'), await storage.payloads.erase('a')]).toEqual([true, false])
  expect([isThere(), await storage.payloads.key('a')]).toEqual([false, null])
  expect(await storage.payloads.key('b')).toMatchObject({ id: 'key-b' })
})
