import { HooshError } from '../errors.js'

/** For a page of entries that is to begin before an id which the store has never given. */
export function strangeEntry(): HooshError {
  const message = 'before: must be the id of an entry of this pool, as the page before it ends with.'
  return new HooshError('invalid_request', { message, details: { param: 'before' } })
}
