import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codeBlocks, documents } from './documents.js'
import { root } from './sources.js'

const OPTIONS = {
  target: 'ES2023',
  lib: ['ES2023'],
  module: 'NodeNext',
  moduleResolution: 'NodeNext',
  types: ['node', 'express'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  noEmit: true,
}

describe('TypeScript in the documents', () => {
  it('compiles against the packages as they are built', () => {
    const built = ['core', 'express', 'koa', 'next', 'sql', 'redis'].every((name) =>
      existsSync(join(root, `packages/${name}/dist/index.d.ts`)),
    )
    expect(built, 'run `npm run build` first').toBe(true)
    expect(errorsOf(writeBlocks())).toBe('')
  }, 120_000)
})

/**
 * Each block as a file of its own, named after where it stands or, where others import it, by its first line (`// name.ts`);
 * inside the repository so that packages resolve.
 */
function writeBlocks(): string {
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true })
  const folder = mkdtempSync(join(root, 'node_modules/.cache/hoosh-docs-'))
  for (const document of documents) {
    for (const { code, line } of codeBlocks(document, 'ts')) {
      const name = /^\/\/ (\w+\.ts)\n/.exec(code)?.[1] ?? `${document.replace(/\W+/g, '-')}-line-${line}.ts`
      writeFileSync(join(folder, name), `${code}\nexport {}\n`)
    }
  }
  copyFileSync(join(root, 'test/house/host-libraries.d.ts'), join(folder, 'host-libraries.d.ts'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, include: ['*.ts'] }))
  return folder
}

function errorsOf(folder: string): string {
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: folder })
    return ''
  } catch (failed) {
    return String((failed as { stdout: Buffer }).stdout)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
