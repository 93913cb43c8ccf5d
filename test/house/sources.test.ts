import { describe, expect, it } from 'vitest'
import { codeLines, filesBelow, lineOf, type Node, nodesOf, packageSources, parse, type Source } from './sources.js'

const FILE_LINES = 300
const TEST_FILE_LINES = 400
const FUNCTION_LINES = 70

const parsed = (folders: readonly string[]) => folders.flatMap((folder) => filesBelow(folder, '.ts').map(parse))

const product = ['core', 'express', 'koa', 'next', 'sql', 'redis', 'cli'].flatMap(packageSources)
const tests = parsed(['test'])

const longerThan = (limit: number, sources: readonly Source[]): string[] =>
  sources.filter((source) => codeLines(source) > limit).map((source) => `${source.path}: ${codeLines(source)}`)

const found = (sources: readonly Source[], wanted: (node: Node, source: Source) => boolean): string[] =>
  sources.flatMap((source) =>
    [...nodesOf(source.program)]
      .filter((node) => wanted(node, source))
      .map((node) => `${source.path}:${lineOf(source, node.start)}`),
  )

const isFunction = (node: Node) => /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)

describe('sources', () => {
  it(`a file has at most ${FILE_LINES} lines of code, one of tests ${TEST_FILE_LINES}`, () => {
    expect(longerThan(FILE_LINES, [...product, ...parsed(['bench', 'examples'])])).toEqual([])
    expect(longerThan(TEST_FILE_LINES, tests)).toEqual([])
  })

  it(`a function of the product has at most ${FUNCTION_LINES} lines of code, with all that is nested in it`, () => {
    const long = found(product, (node, source) => {
      return isFunction(node) && codeLines(source, node.start, node.end) > FUNCTION_LINES
    })
    expect(long).toEqual([])
  })

  it('the product throws no bare Error: each has a code', () => {
    const bare = found(product, (node) => {
      const made = node.type === 'ThrowStatement' ? (node.argument as Node) : null
      const maker = made !== null && /^(New|Call)Expression$/.test(made.type) ? (made.callee as Node) : null
      return maker !== null && /^(Error|TypeError|RangeError)$/.test(String(maker.name))
    })
    expect(bare).toEqual([])
  })

  it('the product has two classes: HooshError, and Account, of which there may be a million', () => {
    const classes = found(product, (node) => node.type === 'ClassDeclaration' || node.type === 'ClassExpression')
    expect(classes.map((at) => at.split(':')[0])).toEqual([
      'packages/core/src/budget/memory-account.ts',
      'packages/core/src/errors.ts',
    ])
  })

  it('the product has no `any` and silences no type error', () => {
    const silenced = product.filter((source) => /@ts-(ignore|expect-error|nocheck)/.test(source.text))
    expect(silenced.map((source) => source.path)).toEqual([])
    expect(found(product, (node) => node.type === 'TSAnyKeyword')).toEqual([])
  })

  it('the product keeps no state in a module: no `let` at its top level', () => {
    const state = product.flatMap((source) =>
      (source.program.body as Node[])
        .map((node) => (node.declaration as Node | undefined) ?? node)
        .filter((node) => node.type === 'VariableDeclaration' && node.kind !== 'const')
        .map((node) => `${source.path}:${lineOf(source, node.start)}`),
    )
    expect(state).toEqual([])
  })
})
