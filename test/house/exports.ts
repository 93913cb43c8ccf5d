import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Node, parse, resolveImport, root, type Source } from './sources.js'

/** A name that users import, and where it is written. */
export interface Exported {
  readonly name: string
  readonly source: Source
  readonly declaration: Node
}

interface Manifest {
  readonly exports: Record<string, { default: string }>
}

/** Every entry point of a package: what users import it as, and the source it is built from. */
export function entryPoints(name: string): { specifier: string; path: string }[] {
  const { exports } = JSON.parse(readFileSync(join(root, `packages/${name}/package.json`), 'utf8')) as Manifest
  return Object.entries(exports).map(([key, { default: built }]) => ({
    specifier: `@hoosh/${name}${key.slice(1)}`,
    path: `packages/${name}/${built.replace('./dist/', 'src/').replace(/\.js$/, '.ts')}`,
  }))
}

/** Names of a file with their declarations, through whatever re-exports them. */
export function exportsOf(path: string): Exported[] {
  const source = parse(path)
  return (source.program.body as Node[]).flatMap((statement) => {
    if (statement.type === 'ExportAllDeclaration') return exportsOf(resolveImport(path, specifierOf(statement)!))
    if (statement.type !== 'ExportNamedDeclaration') return []
    const declaration = statement.declaration as Node | null
    if (declaration !== null) {
      return namesOf(declaration).map((name) => ({ name, source, declaration: statement }))
    }
    return (statement.specifiers as Node[]).flatMap((specifier) => reExported(source, statement, specifier))
  })
}

function reExported(source: Source, statement: Node, specifier: Node): Exported[] {
  const name = nameOf(specifier.exported)
  const local = nameOf(specifier.local)
  const from = specifierOf(statement) ?? importedFrom(source, local)
  if (from === null || !from.startsWith('.')) return [{ name, source, declaration: statement }]
  const target = exportsOf(resolveImport(source.path, from)).filter((found) => found.name === local)
  return target.map((found) => ({ ...found, name }))
}

/** Where a file that imports a name and exports it in another statement has it from. */
function importedFrom(source: Source, local: string): string | null {
  const statements = (source.program.body as Node[]).filter(({ type }) => type === 'ImportDeclaration')
  const found = statements.find(({ specifiers }) => (specifiers as Node[]).some((one) => nameOf(one.local) === local))
  return found === undefined ? null : specifierOf(found)
}

function namesOf(declaration: Node): string[] {
  if (declaration.type !== 'VariableDeclaration') return [nameOf(declaration.id)]
  return (declaration.declarations as Node[]).map((declarator) => nameOf(declarator.id))
}

const nameOf = (identifier: unknown): string => (identifier as { name: string }).name

const specifierOf = (statement: Node): string | null => (statement.source as { value: string } | null)?.value ?? null

/** A docstring stands right before what it documents. */
export function isDocumented({ source, declaration }: Exported): boolean {
  return source.comments.some((comment) => {
    if (comment.type !== 'Block' || !comment.value.startsWith('*') || comment.end > declaration.start) return false
    return source.text.slice(comment.end, declaration.start).trim() === ''
  })
}
