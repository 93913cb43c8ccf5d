import { type Node, parsePattern } from './pattern-parser.js'
import { LONGEST_MATCH } from './rule.js'

/** A pattern of the host's own that cannot take more than linear time. */
export interface BoundedPattern {
  /** Without capturing groups; what might repeat for ever is bounded, so that a match has at most 127 characters. */
  readonly source: string
  /** The inside of a class: characters that a match goes on with, where the pattern ends in such a run. */
  readonly more?: string
}

/** Steps a search may take from one place of a text, counted at their worst. */
const MOST_STEPS = 256

/**
 * Makes a pattern safe to run on hostile text, or says why it is not.
 *
 * A search that fails tries every way in which the pattern could match from a place, and goes on to the next place. So
 * the ways are counted: a run of characters may end in one way where what follows it cannot be one of them, else in as
 * many as it has lengths; ways multiply along a sequence and add up over alternatives. Ways times the longest match
 * must stay below 256, and that times the length of the text is then all that it can take.
 *
 * @returns in words what is wrong
 */
export function boundedPattern(source: string, anyCase: boolean): BoundedPattern | string {
  const root = parsePattern(source)
  const fault = faultIn(root, false)
  if (fault !== null) return fault
  const endless = countEndless(root)
  const least = longest(root, 0)
  if (least > LONGEST_MATCH) return `can match more than ${LONGEST_MATCH} characters; shorten what may repeat`
  if (shortest(root) === 0) return 'matches an empty text; make at least one character of it required'
  const room = endless === 0 ? 0 : Math.floor((LONGEST_MATCH - least) / endless)
  const context: Context = { room, setOf: setsBy(anyCase) }
  const steps = waysOf(root, END, context) * longest(root, room)
  if (steps > MOST_STEPS) {
    return `could take ${steps > 1e6 ? 'more than a million' : steps} steps at each character of a text, and may take ${MOST_STEPS}; where a run ends has to be plain from what follows it, so let the two share no character, or allow fewer repetitions`
  }
  const more = endOf(root)
  return { source: written(root, room), ...(more === null ? {} : { more }) }
}

interface Context {
  /** How often each endless run may repeat beyond its least. */
  readonly room: number
  readonly setOf: (source: string) => Uint8Array
}

function faultIn(node: Node, isRepeated: boolean): string | null {
  switch (node.kind) {
    case 'unsupported':
      return `has ${node.what}, which is not looked for`
    case 'sequence':
      return firstOf(node.items, (item) => faultIn(item, isRepeated))
    case 'choice':
      return firstOf(node.options, (option) => faultIn(option, isRepeated))
    case 'repeat':
      if (node.max === Infinity && (isRepeated || node.node.kind !== 'set')) {
        return 'repeats a group without a bound, or a run within a group that repeats; give it one, such as {1,4}'
      }
      return faultIn(node.node, isRepeated || node.max > 1)
    default:
      return null
  }
}

function firstOf<Item>(items: readonly Item[], find: (item: Item) => string | null): string | null {
  for (const item of items) {
    const found = find(item)
    if (found !== null) return found
  }
  return null
}

function countEndless(node: Node): number {
  if (node.kind === 'repeat') return node.max === Infinity ? 1 : countEndless(node.node)
  if (node.kind === 'sequence') return node.items.reduce((sum, item) => sum + countEndless(item), 0)
  return node.kind === 'choice' ? Math.max(...node.options.map(countEndless)) : 0
}

function most({ min, max }: { min: number; max: number }, room: number): number {
  return max === Infinity ? min + room : max
}

function longest(node: Node, room: number): number {
  switch (node.kind) {
    case 'set':
      return 1
    case 'repeat':
      return longest(node.node, room) * most(node, room)
    case 'sequence':
      return node.items.reduce((sum, item) => sum + longest(item, room), 0)
    case 'choice':
      return Math.max(...node.options.map((option) => longest(option, room)))
    default:
      return 0
  }
}

function shortest(node: Node): number {
  switch (node.kind) {
    case 'set':
      return 1
    case 'repeat':
      return shortest(node.node) * node.min
    case 'sequence':
      return node.items.reduce((sum, item) => sum + shortest(item), 0)
    case 'choice':
      return Math.min(...node.options.map(shortest))
    default:
      return 0
  }
}

/** Characters by code, those beyond ASCII as one; which may stand at a place. */
const SIGNS = 129
/** Nothing more has to match: whatever follows will do. */
const END = null
/** A condition that may fail whatever the character is. */
const UNKNOWN = new Uint8Array(SIGNS).fill(1)

type Follow = Uint8Array | typeof END

function setsBy(anyCase: boolean): (source: string) => Uint8Array {
  const known = new Map<string, Uint8Array>()
  return (source) => {
    let set = known.get(source)
    if (set !== undefined) return set
    const one = new RegExp(`^${source}$`, anyCase ? 'i' : '')
    set = Uint8Array.from({ length: SIGNS }, (_, code) => (code < 128 && one.test(String.fromCharCode(code)) ? 1 : 0))
    // A class can name characters beyond ASCII in many ways: all but plain ASCII ones are taken to.
    set[128] = /[^\x20-\x7e]|\\[ux]|\[\^|\\[DWS]|^\.$/.test(source) ? 1 : 0
    known.set(source, set)
    return set
  }
}

/** What a node may begin with, and what follows it where it may be empty. */
function beginning(node: Node, follow: Follow, context: Context): Follow {
  switch (node.kind) {
    case 'set':
      return context.setOf(node.source)
    case 'repeat': {
      const own = beginning(node.node, follow, context)
      return node.min > 0 ? own : union(own, follow)
    }
    case 'sequence':
      return node.items.reduceRight<Follow>((after, item) => beginning(item, after, context), follow)
    case 'choice':
      return node.options.map((option) => beginning(option, follow, context)).reduce(union)
    default:
      return UNKNOWN
  }
}

function union(one: Follow, other: Follow): Follow {
  if (one === END || other === END) return END
  return one.map((is, code) => (is === 1 || other[code] === 1 ? 1 : 0))
}

function share(one: Follow, other: Follow): boolean {
  return one === END || other === END || one.some((is, code) => is === 1 && other[code] === 1)
}

/** In how many ways a node can match from one place before what follows it is tried. */
function waysOf(node: Node, follow: Follow, context: Context): number {
  switch (node.kind) {
    case 'sequence': {
      let after = follow
      let ways = 1
      for (const item of [...node.items].reverse()) {
        ways *= waysOf(item, after, context)
        after = beginning(item, after, context)
      }
      return ways
    }
    case 'choice': {
      const ways = node.options.map((option) => waysOf(option, follow, context))
      const begins = node.options.map((option) => beginning(option, follow, context))
      const isPlain = begins.every((one, index) => begins.slice(index + 1).every((other) => !share(one, other)))
      return isPlain ? Math.max(...ways) : ways.reduce((sum, way) => sum + way, 0)
    }
    case 'repeat':
      return waysOfRepeat(node, follow, context)
    default:
      return 1
  }
}

function waysOfRepeat(node: Extract<Node, { kind: 'repeat' }>, follow: Follow, context: Context): number {
  const times = most(node, context.room)
  const again = beginning(node.node, UNKNOWN, context)
  const inner = waysOf(node.node, times > 1 ? union(again, follow ?? UNKNOWN) : follow, context)
  // At the end of the pattern the first way is the answer, and none is tried again.
  const ends = times === node.min || follow === END || !share(again, follow) ? 1 : times - node.min + 1
  return ends * inner ** Math.min(times, 30)
}

function endOf(root: Node): string | null {
  const last = root.kind === 'sequence' ? root.items.at(-1) : root
  if (last?.kind !== 'repeat' || last.max !== Infinity || last.lazy !== '' || last.node.kind !== 'set') return null
  const { source } = last.node
  if (source === '.') return '^\\n\\r'
  return source.startsWith('[') ? source.slice(1, -1) : source.replace(/^[\]^-]$/, '\\$&')
}

function written(node: Node, room: number): string {
  switch (node.kind) {
    case 'sequence':
      return node.items.map((item) => written(item, room)).join('')
    case 'choice':
      return `(?:${node.options.map((option) => written(option, room)).join('|')})`
    case 'repeat': {
      const inner = written(node.node, room)
      const one = node.node.kind === 'set' ? inner : `(?:${inner})`
      return `${one}{${node.min},${most(node, room)}}${node.lazy}`
    }
    case 'unsupported':
      return ''
    default:
      return node.source
  }
}
