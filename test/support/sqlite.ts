import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SqlStorage, type SqlStorageOptions, sqlStorage } from '@hoosh/sql'
import Database from 'libsql'

/** A database file in a folder of its own, with any number of handles. */
export function sqliteFile(options: SqlStorageOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'hoosh-'))
  const file = join(folder, 'hoosh.sqlite')
  const handles: { database: InstanceType<typeof Database>; storage: SqlStorage }[] = []
  return {
    file,
    /** Another handle, as another process would have it. */
    async open(more: SqlStorageOptions = {}): Promise<SqlStorage> {
      const database = new Database(file)
      const storage = sqlStorage(database, { ...options, ...more })
      await storage.open!({ migrate: true })
      handles.push({ database, storage })
      return storage
    },
    /** Rows as they stand in the file, by a handle that is there already. */
    read<Row>(sql: string): Row[] {
      return handles[0]!.database.prepare(sql).all([]) as Row[]
    },
    exec(sql: string): void {
      handles[0]!.database.exec(sql)
    },
    async remove(): Promise<void> {
      for (const { database, storage } of handles) {
        await storage.close!()
        database.close()
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
