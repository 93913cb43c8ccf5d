import { HooshError } from '@hoosh/core/storage'
import { altered, turned, WAYS } from './altered.js'

type Awaitable<T> = T | Promise<T>
type Call = (...args: never[]) => unknown
type MethodOf<Store> = {
  [Name in keyof Store]-?: Extract<Store[Name], Call> extends never ? never : Name
}[keyof Store] &
  string
type Args<Store, Method extends keyof Store> = Parameters<Extract<Store[Method], Call>>
type Answer<Store, Method extends keyof Store> = Awaited<ReturnType<Extract<Store[Method], Call>>>
type Fault<Store, Method extends keyof Store> = (
  act: (...args: Args<Store, Method>) => Promise<Answer<Store, Method>>,
  args: Args<Store, Method>,
  store: Store,
) => Awaitable<Answer<Store, Method>>

type AnyFault = (act: (...args: unknown[]) => Promise<unknown>, args: unknown[], store: unknown) => unknown

/** A store with one fault of one method. */
export interface Mutant<Store> {
  readonly method: MethodOf<Store>
  readonly how: string
  mutate(store: Store): Store
}

/** The faults that the methods of a store may have. */
export function faultsOf<Store>() {
  type Method = MethodOf<Store>

  function fault(method: Method, what: string, run: AnyFault): Mutant<Store> {
    return {
      method,
      how: `${method} ${what}`,
      mutate(store) {
        const right = store[method] as (...args: unknown[]) => unknown
        const act = async (...args: unknown[]) => await right(...args)
        return { ...store, [method]: async (...args: unknown[]) => await run(act, args, store) }
      },
    }
  }

  return {
    /** Does this in place of what it should. */
    faulty<M extends Method>(method: M, what: string, run: Fault<Store, M>): Mutant<Store> {
      return fault(method, what, run as unknown as AnyFault)
    },

    /** Goes by other arguments than it was given. */
    ignoring<M extends Method>(method: M, what: string, change: (...args: Args<Store, M>) => Args<Store, M>) {
      const changed = change as unknown as (...args: unknown[]) => unknown[]
      return fault(method, `does not look at ${what}`, (act, args) => act(...changed(...args)))
    },

    /** Does nothing, and answers all the same. */
    idle<M extends Method>(method: M, answer: Answer<Store, M>): Mutant<Store> {
      return fault(method, `does nothing, and answers ${answer}`, () => answer)
    },

    twice(method: Method): Mutant<Store>[] {
      return [
        fault(method, 'acts twice, and answers as the first time', async (act, args) => {
          const answer = await act(...args)
          await act(...args)
          return answer
        }),
        fault(method, 'acts twice, and answers as the second time', async (act, args) => {
          await act(...args)
          return act(...args)
        }),
      ]
    },

    /** Answers with each of these fields left out, empty or altered; see `altered` for how they are named. */
    misanswering(method: Method, fields: readonly string[]): Mutant<Store>[] {
      return fields.flatMap((field) =>
        WAYS.map(([as, alter]) =>
          fault(method, `answers \`${field}\` as ${as}`, async (act, args) =>
            altered(await act(...args), field, alter),
          ),
        ),
      )
    },

    /** Answers a list the other way round. */
    reversing(method: Method, field: string): Mutant<Store> {
      return fault(method, `answers \`${field}\` the other way round`, async (act, args) =>
        altered(await act(...args), field, turned),
      )
    },

    /** Refuses, where it does by one of these codes, by another, and without each of these details. */
    misrefusing(method: Method, refusals: Readonly<Record<string, readonly string[]>>): Mutant<Store>[] {
      const refusing = (code: string, what: string, change: (error: HooshError) => HooshError) =>
        fault(method, `refuses ${code} ${what}`, async (act, args) => {
          try {
            return await act(...args)
          } catch (error) {
            throw (error as HooshError).code === code ? change(error as HooshError) : error
          }
        })
      return Object.entries(refusals).flatMap(([code, details]) => [
        refusing(code, 'by another code', ({ message, details: said }) => {
          return new HooshError('internal_error', { message, details: said })
        }),
        ...details.map((detail) =>
          refusing(code, `without \`${detail}\``, (error) => {
            const said = altered(error.details, detail, () => undefined)
            return new HooshError(error.code, { message: error.message, details: said })
          }),
        ),
      ])
    },
  }
}
