import { HooshError } from '../errors.js'

/** @throws HooshError `invalid_options` for what is no path: an unset variable, say */
export function checkPath(path: unknown, taker: string, what: string): void {
  if (typeof path === 'string' && path !== '') return
  throw new HooshError('invalid_options', {
    message: `\`${taker}\` takes the path of ${what}; is its environment variable set?`,
  })
}
