import { HooshError } from '../errors.js'
import { suggest } from './suggest.js'

/** What is wrong with names that are none of those known, and which were probably meant: the end of a sentence. */
export function unknownNames(names: readonly string[], known: readonly string[]): string {
  const slips = names.flatMap((name) => {
    const meant = suggest(name, known)
    return meant === null ? [] : [`has no option "${name}"; did you mean "${meant}"?`]
  })
  const strangers = names.filter((name) => suggest(name, known) === null).map((name) => `"${name}"`)
  if (strangers.length === 0) return slips.join(' and ')
  const rest = `has no option${strangers.length > 1 ? 's' : ''} ${strangers.join(', ')}; it knows ${known.join(', ')}`
  return [...slips, rest].join(' and ')
}

/**
 * Refuses options that nobody would look at.
 *
 * @param names all that there are: one that is forgotten does not compile
 * @param of what they are the options of: `sqlStorage`
 * @throws HooshError `invalid_options` that names them, and those that were probably meant
 */
export function checkOptionNames<Options>(given: object, names: Record<keyof Options, true>, of: string): void {
  const known = Object.keys(names)
  const unknown = Object.keys(given).filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  const message = `${of} ${unknownNames(unknown, known)}`
  throw new HooshError('invalid_options', {
    message: message.endsWith('?') ? message : `${message}.`,
    details: { param: unknown[0]! },
  })
}
