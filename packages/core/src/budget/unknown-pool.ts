import { HooshError } from '../errors.js'

/** The error for a pool of which neither an override nor a template says what it is. */
export function unknownPool(name: string): HooshError {
  return new HooshError('unknown_pool', {
    message: `There is no pool "${name}": no template of \`pools\` makes it, and no admin has set it.`,
    details: { pool: name },
  })
}
