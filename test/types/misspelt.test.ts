import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))
const TSC = join(REPOSITORY, 'node_modules/typescript/bin/tsc')

/** What the compiler says of each statement, one by one; it looks at the packages as they are built. */
async function toldOf(statements: readonly string[]): Promise<string[]> {
  const cache = join(REPOSITORY, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'hoosh-types-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const imports = [
    "import { toFetchHandler } from '@hoosh/core/fetch'",
    "import { toNodeHandler } from '@hoosh/core/node'",
    "import { hoosh } from '@hoosh/express'",
    "import { hoosh as koa } from '@hoosh/koa'",
    "import { createHoosh } from '@hoosh/next'",
    "import express from 'express'",
    "import Koa from 'koa'",
    'export const used = [toFetchHandler, toNodeHandler, hoosh, koa, createHoosh, express, Koa]',
  ]
  writeFileSync(join(folder, 'app.ts'), [...imports, ...statements].join('\n'))
  const compilerOptions = { noEmit: true, composite: false, types: ['node'] }
  const project = { extends: join(REPOSITORY, 'tsconfig.base.json'), compilerOptions, files: ['app.ts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project))
  const told = await promisify(execFile)(process.execPath, [TSC, '-p', folder, '--pretty', 'false']).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  )
  return statements.map((_, index) => {
    const place = new RegExp(`app\\.ts\\(${imports.length + index + 1},\\d+\\): (.*(?:\\n  .*)*)`, 'g')
    return [...told.matchAll(place)].map(([, text]) => text).join('\n')
  })
}

it('a misspelt option is told as one, on every mount', async () => {
  const told = await toldOf([
    'express().use(hoosh({ provders: [] }))',
    'hoosh({ identfy: () => null })',
    'new Koa().use(koa({ provders: [] }))',
    'koa({ identfy: () => null })',
    'toNodeHandler({ provders: [] })',
    'toFetchHandler({ identfy: () => null })',
    'createHoosh({ provders: [] })',
    "hoosh({ providers: [{ type: 'opnai' }] })",
  ])
  for (const text of told) expect(text).not.toMatch(/type 'Gateway'/)
  for (const [index, name] of [
    'provders',
    'identfy',
    'provders',
    'identfy',
    'provders',
    'identfy',
    'provders',
  ].entries()) {
    expect(told[index]).toMatch(new RegExp(`'${name}' does not exist in type '[^']*Options`))
  }
  expect(told[7]).toMatch(/"opnai".* is not assignable/)
})
