import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGateway } from '@hoosh/core'
import { toNodeHandler } from '@hoosh/core/node'
import { sqlStorage } from '@hoosh/sql'
import Database from 'libsql'
import { identify, options } from './hoosh-options.js'
import { serve } from './serve.js'

const folder = mkdtempSync(join(tmpdir(), 'hoosh-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const storage = sqlStorage(new Database(join(folder, 'hoosh.sqlite')))
serve(toNodeHandler(createGateway({ ...options, storage, migrate: true }), { identify }))
