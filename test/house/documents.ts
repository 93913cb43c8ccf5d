import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow, root } from './sources.js'

/** Everything a user reads, as paths from the repository. */
export const documents: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...['core', 'express', 'koa', 'next', 'sql', 'redis', 'cli'].map((name) => `packages/${name}/README.md`),
  ...['docs', 'bench', 'examples'].flatMap((folder) => filesBelow(folder, '.md')),
].filter((path) => existsSync(join(root, path)))

export const readDocument = (path: string): string => readFileSync(join(root, path), 'utf8')

/** Blocks of one language, with the line they begin at. */
export function codeBlocks(path: string, language: string): { code: string; line: number }[] {
  const text = readDocument(path)
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm')
  return [...text.matchAll(fence)].map((match) => ({
    code: match[1]!,
    line: text.slice(0, match.index).split('\n').length + 1,
  }))
}
