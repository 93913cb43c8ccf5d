import { HooshError } from '../errors.js'

/** Levels of objects and arrays. JSON.parse takes a million, but JSON.stringify and any recursion overflow long before. */
const MAX_DEPTH = 64
/** Commas outside strings, so that no body blocks the event loop for long: 300,000 tokens of embeddings fit. */
const MAX_COMMAS = 500_000
/** Keys of one object. */
const MAX_KEYS = 10_000

/** Characters of a path that an error names. */
const MAX_PLACE = 200

const UNSAFE = 'is a name that could change the prototype of an object'
const OUT_OF_RANGE = 'is a number out of range'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * Measures JSON text before anything parses it, in one pass that jumps over strings (12 us for 20 KB of chat). In text
 * that is no JSON the figures hold up to the first fault, which the parser then reports.
 *
 * @returns how many members all objects have together, repeated ones included
 * @throws HooshError `invalid_request` for too many levels or values
 */
export function checkText(text: string): number {
  let depth = 0
  let members = 0
  let commas = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at)
        break
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        if (++depth > MAX_DEPTH) throw tooDeep()
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        depth--
        break
      case COLON:
        members++
        break
      case COMMA:
        if (++commas > MAX_COMMAS) throw bodyRefused(`has more than ${MAX_COMMAS} values; send several requests`)
    }
  }
  return members
}

/** Where the string that begins at `from` has its closing quote; the end of the text where it has none. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return at
  }
  return text.length
}

/**
 * Holds a parsed body to the rules that text does not show, without recursion: a plain object on top, no `__proto__`,
 * no `constructor` with a `prototype`, finite numbers, and again the depth, for bodies that a host has parsed.
 *
 * @param source the text and what `checkText` counted in it: JSON.parse keeps the last of two members of one name,
 *   which may not be the one that a proxy before us has looked at, or that a provider behind us will
 * @throws HooshError `invalid_request` whose `details.param` names the place
 */
export function checkValue(value: unknown, source?: { text: string; members: number }): Record<string, unknown> {
  if (!isPlainObject(value)) throw bodyRefused('is no JSON object; send `{ ... }`')
  const seen: Seen = { members: 0, below: [] }
  const fault = firstFault(value, seen)
  if (fault !== null) throw fieldRefused(placeOf(value, fault), fault.what)
  if (source !== undefined && seen.members !== source.members) {
    throw fieldRefused(placeOfRepeated(source.text), 'is there twice')
  }
  return value
}

interface Fault {
  what: string
  holder: object
  key: string
}

/** What a walk through a value has come to. */
interface Seen {
  /** Members of all objects so far. */
  members: number
  /** Objects and arrays of the next level. */
  below: object[]
}

/** Goes through a value level by level; `for in` would make strings of array indexes, hence the two loops. */
function firstFault(root: object, seen: Seen): Fault | null {
  let level = [root]
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw tooDeep()
    seen.below = []
    for (const holder of level) {
      const fault = Array.isArray(holder) ? faultInArray(holder, seen.below) : faultInObject(holder, seen)
      if (fault !== null) return fault
    }
    level = seen.below
  }
  return null
}

function faultInArray(holder: readonly unknown[], below: object[]): Fault | null {
  for (let index = 0; index < holder.length; index++) {
    const value = holder[index]
    if (typeof value === 'object') {
      if (value !== null) below.push(value)
    } else if (isOutOfRange(value)) return { what: OUT_OF_RANGE, holder, key: String(index) }
  }
  return null
}

function faultInObject(holder: object, seen: Seen): Fault | null {
  let keys = 0
  for (const key in holder) {
    if (++keys > MAX_KEYS) return { what: `comes after ${MAX_KEYS} others in one object`, holder, key }
    if (key === '__proto__') return { what: UNSAFE, holder, key }
    const value = (holder as Record<string, unknown>)[key]
    if (typeof value === 'object') {
      if (value === null) continue
      if (key === 'constructor' && Object.hasOwn(value, 'prototype')) return { what: UNSAFE, holder, key }
      seen.below.push(value)
    } else if (isOutOfRange(value)) return { what: OUT_OF_RANGE, holder, key }
  }
  seen.members += keys
  return null
}

/** What `1e400` becomes. */
function isOutOfRange(value: unknown): boolean {
  return typeof value === 'number' && !Number.isFinite(value)
}

/** The dotted path of a fault. Paths are made only here, so that bodies without a fault pay nothing for them. */
function placeOf(root: object, fault: Fault): string {
  let level: [object, string][] = [[root, '']]
  while (level.length > 0) {
    const below: [object, string][] = []
    for (const [holder, path] of level) {
      if (holder === fault.holder) return `${path}${fault.key}`
      for (const [key, value] of Object.entries(holder)) {
        if (typeof value === 'object' && value !== null) below.push([value, `${path}${key}.`])
      }
    }
    level = below
  }
  return fault.key
}

/** The dotted path of the first member that an earlier one of the same name precedes; escapes count as what they stand for. */
function placeOfRepeated(text: string): string {
  const open: { names: Set<string>; step: string | number }[] = []
  let name = ''
  for (let at = 0; at < text.length; at++) {
    const holder = open.at(-1)
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const start = at
        at = endOfString(text, at)
        name = text.slice(start, at + 1)
        break
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        open.push({ names: new Set(), step: 0 })
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop()
        break
      case COLON:
        holder!.step = JSON.parse(name) as string
        if (holder!.names.has(holder!.step)) return open.map(({ step }) => step).join('.')
        holder!.names.add(holder!.step)
        break
      case COMMA:
        if (typeof holder!.step === 'number') holder!.step++
    }
  }
  return ''
}

/** Own prototype or none; the test goes by shape, since a parser in another realm has another `Object`. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function tooDeep(): HooshError {
  return bodyRefused(`is nested deeper than ${MAX_DEPTH} levels; send a flatter one`)
}

function bodyRefused(what: string): HooshError {
  return new HooshError('invalid_request', { message: `The body ${what}.` })
}

/** Names are the client's: their length is bounded before they reach a message or a log. */
function fieldRefused(place: string, what: string): HooshError {
  const param = place.length <= MAX_PLACE ? place : `${place.slice(0, MAX_PLACE)}...`
  return new HooshError('invalid_request', {
    message: `\`${param}\` ${what}; correct or remove it.`,
    details: { param },
  })
}
