import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXPOSED } from '../../packages/core/src/http/cors.js'
import { type Node, nodesOf, packageSources, root } from './sources.js'

/** What a browser shows to pages anyway, or reads for itself, or a page has no use for. */
const NOT_FOR_PAGES =
  /^(?:content-(?:type|length|disposition)|cache-control|connection|allow|www-authenticate|x-content-type-options|x-accel-buffering|access-control-.*)$/

/** What has names like that in these goes to providers, or is no header. */
const OTHER_ROOMS = /^packages\/core\/src\/(?:providers|config|testing|conformance)\//

/** Names of headers in the sources of answers: keys of objects, and what is written to `headers[...]`. */
function sentHeaders(): string[] {
  const names = packageSources('core')
    .filter(({ path }) => !OTHER_ROOMS.test(path))
    .flatMap(({ program }) => [...nodesOf(program)].flatMap((node) => writtenNames(node)))
    .filter((name) => /^[a-z0-9-]+$/.test(name))
  return [...new Set(names)].sort()
}

/** `{ 'x-name': ... }`, `headers['x-name'] = ...`, `headers.name = ...`; a name without a dash is one only in the last. */
function writtenNames(node: Node): string[] {
  if (node.type === 'Property') return textsOf(node.key as Node).filter((name) => name.includes('-'))
  const target = node.type === 'AssignmentExpression' ? (node.left as Node) : null
  if (target?.type !== 'MemberExpression') return []
  const holder = target.object as { name?: string; property?: { name?: string } }
  if ((holder.property?.name ?? holder.name) !== 'headers') return []
  const name = target.property as Node
  return target.computed === true ? textsOf(name) : [name.name as string]
}

/** A text, or the two of a template that names the unit of a limit. */
function textsOf(node: Node): string[] {
  if (node.type === 'Literal' && typeof node.value === 'string') return [node.value]
  if (node.type !== 'TemplateLiteral') return []
  const [head, tail] = (node.quasis as { value: { cooked: string } }[]).map(({ value }) => value.cooked)
  return ['requests', 'tokens'].map((unit) => `${head}${unit}${tail ?? ''}`)
}

describe('what pages of another origin may read', () => {
  it('is every header that hoosh sends, and no other', () => {
    expect(sentHeaders().filter((name) => !NOT_FOR_PAGES.test(name))).toEqual([...EXPOSED].sort())
  })

  it('is told of in the documents', () => {
    const text = ['api', 'errors', 'limits', 'routing'].map((name) =>
      readFileSync(join(root, `docs/${name}.md`), 'utf8'),
    )
    expect(EXPOSED.filter((name) => !text.join('').toLowerCase().includes(name))).toEqual([])
  })
})
