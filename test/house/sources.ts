import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync, visitorKeys } from 'oxc-parser'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** One parsed source file; `path` is relative to the repository, with slashes. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly program: Node
  readonly comments: readonly { type: 'Line' | 'Block'; value: string; start: number; end: number }[]
}

/** A node of the syntax tree (ESTree), as far as the rules here look at it. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

/** Files below a folder of the repository, sorted, without what is built or installed. */
export function filesBelow(folder: string, ends: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) return /^(node_modules|dist|\.next)$/.test(entry.name) ? [] : filesBelow(path, ends)
      return entry.name.endsWith(ends) ? [path] : []
    })
    .sort()
}

export function parse(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8')
  const { program, comments, errors } = parseSync(path, text)
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]?.message}`)
  return { path, text, program: program as unknown as Node, comments }
}

export const packageSources = (name: string): Source[] => filesBelow(`packages/${name}/src`, '.ts').map(parse)

export function* nodesOf(node: Node): Generator<Node> {
  yield node
  for (const key of visitorKeys[node.type] ?? []) {
    for (const child of [node[key]].flat()) {
      if (child !== null && child !== undefined) yield* nodesOf(child as Node)
    }
  }
}

/** Lines from `start` to `end` that hold more than blanks and comments. */
export function codeLines({ text, comments }: Source, start = 0, end = text.length): number {
  let code = text
  for (const comment of comments) {
    const blank = code.slice(comment.start, comment.end).replace(/[^\n]/g, ' ')
    code = code.slice(0, comment.start) + blank + code.slice(comment.end)
  }
  return code
    .slice(start, end)
    .split('\n')
    .filter((line) => line.trim() !== '').length
}

export const lineOf = (source: Source, at: number): number => source.text.slice(0, at).split('\n').length

/** Files of the same package that a file imports or re-exports from at run time. */
export function runtimeImports(source: Source): string[] {
  return [...nodesOf(source.program)].flatMap((node) => {
    const from = importedBy(node)
    if (from === null || !from.startsWith('.')) return []
    return [resolveImport(source.path, from)]
  })
}

/** What `./x.js` of a source file means: the source file it is compiled from. */
export function resolveImport(importer: string, from: string): string {
  const path = resolve(root, dirname(importer), from.replace(/\.js$/, '.ts'))
  return relative(root, path).split(sep).join('/')
}

function importedBy(node: Node): string | null {
  if (node.type === 'ImportExpression') return (node.source as { value?: string }).value ?? null
  if (!/^(Import|ExportNamed|ExportAll)Declaration$/.test(node.type) || node.source === null) return null
  // Compiled as written: `import { type A }` still loads the module, only `import type` does not.
  if (node.importKind === 'type' || node.exportKind === 'type') return null
  return (node.source as { value?: string } | undefined)?.value ?? null
}
