import type { HooshEvent, Logger } from '../options.js'

export interface EventBus {
  /** Tells the host at once. Whatever it throws, or rejects with, is logged and changes nothing. */
  emit(event: HooshEvent): void
}

/** Hands events to the host's `onEvent`. */
export function eventBus(options: { onEvent: ((event: HooshEvent) => unknown) | undefined; logger: Logger }): EventBus {
  const { onEvent, logger } = options
  if (onEvent === undefined) return { emit() {} }
  const failed = (event: HooshEvent) => (err: unknown) => {
    logger.error({ err, event: event.type }, 'onEvent threw')
  }
  return {
    emit(event) {
      try {
        const result = onEvent(event)
        if (result instanceof Promise) result.catch(failed(event))
      } catch (err) {
        failed(event)(err)
      }
    },
  }
}
