type Schema = Readonly<Record<string, unknown>>

/** Deeper than this a schema gets null: recursive ones have no bottom. */
const MAX_DEPTH = 12

const FORMATS: Readonly<Record<string, string>> = {
  date: '2000-01-01',
  'date-time': '2000-01-01T00:00:00Z',
  time: '00:00:00Z',
  email: 'demo@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
  ipv4: '192.0.2.1',
  hostname: 'example.com',
}

/**
 * The plainest value that fits a JSON schema: required fields only, the first of several choices, the smallest number.
 * The same for the same schema. `pattern` and `not` are not looked at.
 */
export function valueFor(schema: unknown): unknown {
  return build(schema, { root: objectOf(schema) ?? {}, depth: 0 })
}

interface Place {
  readonly root: Schema
  readonly depth: number
}

function build(given: unknown, place: Place): unknown {
  const schema = resolved(given, place.root)
  if (schema === null || place.depth > MAX_DEPTH) return null
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum)) return schema.enum[0]
  if ('default' in schema) return schema.default
  const below = { root: place.root, depth: place.depth + 1 }
  for (const choices of [schema.anyOf, schema.oneOf]) if (Array.isArray(choices)) return build(choices[0], below)
  if (Array.isArray(schema.allOf)) return build(merged(schema, place.root), below)
  switch (typeOf(schema)) {
    case 'object':
      return objectFor(schema, below)
    case 'array':
      return Array.from({ length: Math.min(sizeOf(schema.minItems) || 1, 100) }, () => build(schema.items ?? {}, below))
    case 'integer':
    case 'number':
      return numberFor(schema)
    case 'boolean':
      return true
    case 'string':
      return textFor(schema)
    default:
      return null
  }
}

function objectFor(schema: Schema, below: Place): Record<string, unknown> {
  const properties = objectOf(schema.properties) ?? {}
  const required = Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === 'string') : []
  return Object.fromEntries(required.map((name) => [name, build(properties[name] ?? {}, below)]))
}

function numberFor(schema: Schema): number {
  const step = typeof schema.multipleOf === 'number' && schema.multipleOf > 0 ? schema.multipleOf : 1
  if (typeof schema.minimum === 'number') return Math.ceil(schema.minimum / step) * step
  if (typeof schema.exclusiveMinimum === 'number') return (Math.floor(schema.exclusiveMinimum / step) + 1) * step
  if (typeof schema.maximum === 'number') return Math.min(step, Math.floor(schema.maximum / step) * step)
  if (typeof schema.exclusiveMaximum === 'number')
    return Math.min(step, (Math.ceil(schema.exclusiveMaximum / step) - 1) * step)
  return step
}

function textFor(schema: Schema): string {
  const text = FORMATS[String(schema.format)] ?? 'demo'
  const longEnough = text.padEnd(Math.min(sizeOf(schema.minLength), 10_000), '.')
  return typeof schema.maxLength === 'number' ? longEnough.slice(0, schema.maxLength) : longEnough
}

function sizeOf(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.ceil(value) : 0
}

function typeOf(schema: Schema): unknown {
  const { type } = schema
  if (Array.isArray(type)) return type.find((one) => one !== 'null') ?? 'null'
  if (type !== undefined) return type
  if ('properties' in schema) return 'object'
  return 'items' in schema ? 'array' : 'string'
}

/** Follows `$ref` within the schema itself; the chain is bounded, since one may lead in a circle. */
function resolved(given: unknown, root: Schema): Schema | null {
  let schema = objectOf(given)
  for (let hops = 0; hops < MAX_DEPTH && typeof schema?.$ref === 'string'; hops += 1) {
    const steps = schema.$ref
      .replace(/^#\/?/, '')
      .split('/')
      .filter((step) => step !== '')
    schema = steps.reduce<Schema | null>(
      (at, step) => objectOf(at?.[step.replaceAll('~1', '/').replaceAll('~0', '~')]),
      root,
    )
  }
  // Still a reference: it leads in a circle.
  return typeof schema?.$ref === 'string' ? null : schema
}

/** One schema of all parts: their fields together, the later word on anything else. */
function merged(schema: Schema, root: Schema): Schema {
  const { allOf, ...own } = schema
  const parts = [...(allOf as unknown[]).map((part) => resolved(part, root) ?? {}), own]
  const required = parts.flatMap((part) => (Array.isArray(part.required) ? part.required : []))
  const properties = Object.assign({}, ...parts.map((part) => objectOf(part.properties)))
  return Object.assign({}, ...parts, { required: [...new Set(required)], properties })
}

function objectOf(value: unknown): Schema | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : null
}
