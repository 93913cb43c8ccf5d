import { z } from 'zod'
import { unknownNames } from './option-names.js'
import { suggest } from './suggest.js'

export const text = z.string('has to be a string').min(1, 'has to be a string that is not empty')
export const flag = z.boolean('has to be true or false')
export const whole = (least: number, most: number, unit = '') => {
  const sentence = `has to be a whole number${unit} from ${least} to ${most}`
  return z.int(sentence).min(least, sentence).max(most, sentence)
}
export const list = <Item extends z.ZodType>(item: Item) => z.array(item, 'has to be an array')
export const by = <Value extends z.ZodType>(value: Value) => z.record(z.string(), value, 'has to be an object')
export const oneOf = (...names: string[]) => z.enum(names, { error: ({ input }) => notOneOf(input, names) })
export const fn = z.custom((value) => typeof value === 'function', 'has to be a function')
export const withMethods = (what: string, ...methods: string[]) =>
  z.custom(
    (value) => methods.every((method) => typeof (value as Record<string, unknown> | null)?.[method] === 'function'),
    `has to be ${what}`,
  )

/** Every field of an object of the options: one that is missing here does not compile, so that no promise is refused. */
export type Every<Options> = Record<keyof NonNullable<Options>, z.ZodType>

/** An object without unknown fields. */
export function fields<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return 'has to be an object'
      return unknownNames(issue.keys, known)
    },
  })
}

/** A value that is fine by itself or fits the schema; a union would tell nothing of what is wrong with it. */
export function unless(isFine: (value: unknown) => boolean, schema: z.ZodType) {
  return z
    .unknown()
    .superRefine((value, context) => {
      if (value === undefined || isFine(value)) return
      for (const { path, message } of schema.safeParse(value).error?.issues ?? []) {
        context.addIssue({ code: 'custom', path, message })
      }
    })
    .optional()
}

function notOneOf(input: unknown, names: readonly string[]): string {
  const meant = typeof input === 'string' ? suggest(input, names) : null
  return `has to be one of ${names.join(', ')}${meant === null ? '' : `; did you mean "${meant}"?`}`
}
