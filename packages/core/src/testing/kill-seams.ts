import type { RequestListener, ServerResponse } from 'node:http'
import type { Siblings } from '../budget/store.js'
import type { Storage } from '../storage/storage.js'

/** The one point at which a process dies, as what it is wrapped in knows it. */
export interface Seam {
  /** What follows the moment in its name: `reserve` of `before-reserve`. */
  readonly step: string
  /** How many of these steps are under way. */
  running: number
  /** Here is a point; if it is the one, this does not return. */
  pass(point: string): void
}

/** A method of something whose type is not known here. */
export type Method = (...args: unknown[]) => unknown

/** Stores whose one step passes the points; one that answers at once still does. */
export function aroundStores<Kept extends Partial<Storage>>(storage: Kept, seam: Seam): Kept {
  const wrapped: Record<string, unknown> = {}
  for (const [name, store] of Object.entries(storage)) {
    const run: unknown = Object(store)[seam.step]
    wrapped[name] = store
    if (typeof run === 'function')
      wrapped[name] = { ...(store as object), [seam.step]: aroundStep(run as Method, seam) }
  }
  const { budgets } = wrapped as Partial<Storage>
  if (budgets?.persists !== undefined)
    wrapped.budgets = { ...budgets, persists: siblingsIn(wrapped, storage, budgets.persists) }
  return wrapped as Kept
}

/** A step of the ledger is still one with the stores beside it, now that these are wrapped. */
function siblingsIn(wrapped: Record<string, unknown>, storage: Partial<Storage>, persists: Siblings): Siblings {
  const named = Object.entries(persists).map(([kind, store]) => [
    kind,
    storage[kind as keyof Siblings] === store ? wrapped[kind] : store,
  ])
  return Object.fromEntries(named)
}

function aroundStep(run: Method, seam: Seam): Method {
  const { step } = seam
  const durable = (answer: unknown) => {
    seam.pass(`after-${step}`)
    seam.running -= 1
    return answer
  }
  const failed = (error: unknown): never => {
    seam.running -= 1
    throw error
  }
  return (...args) => {
    seam.pass(`before-${step}`)
    seam.running += 1
    let answer: unknown
    try {
      answer = run(...args)
    } catch (error) {
      return failed(error)
    }
    return answer instanceof Promise ? answer.then(durable, failed) : durable(answer)
  }
}

/** A handler whose answers pass the points. */
export function aroundAnswers(handler: RequestListener, seam: Seam): RequestListener {
  return (request, response) => {
    watch(response, seam)
    return handler(request, response)
  }
}

function watch(response: ServerResponse, seam: Seam): void {
  const { write, end } = response as unknown as Record<'write' | 'end', Method>
  const said = (method: Method, isLast: boolean) => (args: unknown[]) => {
    if (isLast) seam.pass('before-done')
    const answer = method.apply(response, args)
    // Node hands what is written in one turn over at its end, in a tick that is due before this one.
    if (isLast) process.nextTick(() => seam.pass('after-done'))
    return answer
  }
  const wrapped: Record<'write' | 'end', Method> = {
    write: (...args) => {
      seam.pass('piece')
      return said(write, Buffer.from(args[0] as string).includes('[DONE]'))(args)
    },
    // A stream ends with nothing more to say.
    end: (...args) => said(end, args[0] != null && typeof args[0] !== 'function')(args),
  }
  Object.assign(response, wrapped)
}
