import type { OutputCounter } from '../context/output-count.js'
import { deltaText, type StreamEvent } from './stream-event.js'

/**
 * How much output a stream has delivered. Bytes are an upper bound of tokens, so nothing is counted until that bound is
 * asked to become a count; the text is kept until then, and after that each delta is counted as it comes.
 */
export interface OutputTally {
  /** Tokens of one more event: by bytes, or once counting by count; at least 1 where it has text. */
  weigh(event: StreamEvent, text: string): number
  /** Adds an event that weighs this much. */
  add(tokens: number, event: StreamEvent, text: string): void
  /** Tokens so far: never fewer than the provider's, exact as far as the counter is. */
  readonly atMost: number
  readonly isCounting: boolean
  /**
   * From here on counts; what came so far is counted at once. An estimate is not believed beyond `limit`, what the
   * provider was told not to pass, as an honest answer would end by it; more events than that are.
   */
  startCounting(counter: OutputCounter, limit: number): Promise<void>
}

const FIRST_ROOM = 1_024
/** Text that is kept to be counted, bytes: more than any model says in one answer. What is beyond counts as its bytes. */
const MOST_KEPT = 1_048_576

export function outputTally(): OutputTally {
  let bound = 0
  let events = 0
  let estimate = 0
  let most = Infinity
  let counter: OutputCounter | null = null
  let kept: Buffer | null = null
  let used = 0
  /** Tokens of what is not kept. */
  let beyond = 0
  let starting: Promise<void> | null = null
  const keep = (escaped: string) => {
    const needed = used + escaped.length
    if (needed > MOST_KEPT) {
      beyond += escaped.length
      return
    }
    if (kept === null || needed > kept.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_ROOM, needed * 2))
      kept?.copy(larger, 0, 0, used)
      kept = larger
    }
    used += kept.write(escaped, used, 'latin1')
  }
  /** Of so many events and tokens. */
  const counted = (inEvents: number, tokens: number) => Math.max(inEvents, Math.min(tokens, most))
  const start = async (by: OutputCounter, limit: number) => {
    estimate = beyond + (kept === null ? 0 : await by.countAll(unescaped(kept.toString('utf8', 0, used))))
    if (by.isEstimate) most = limit
    bound = counted(events, estimate)
    kept = null
    counter = by
  }
  return {
    weigh(event, text) {
      if (event.atMostTokens === 0 || counter === null) return event.atMostTokens
      const said = deltaText(text)
      if (said === '' && event.imageTokens === 0) return 0
      const tokens = counter.count(said) + event.imageTokens
      return counter.isEstimate ? Math.max(0, counted(events + 1, estimate + tokens) - bound) : tokens
    },
    add(tokens, event, text) {
      bound += tokens
      if (counter !== null && !counter.isEstimate) return
      const said = counter === null ? escapedText(event, text) : deltaText(text)
      if (said === '' && event.imageTokens === 0) return // the role, which costs nothing
      events += 1
      if (counter === null) {
        beyond += event.imageTokens
        keep(said)
      } else estimate += counter.count(said) + event.imageTokens
    },
    get atMost() {
      return bound
    },
    get isCounting() {
      return counter !== null
    },
    startCounting(by, limit) {
      starting ??= start(by, limit)
      return starting
    },
  }
}

/** The delta's text as it stands escaped in the event, one character a byte. */
function escapedText({ textFrom, textTo }: StreamEvent, text: string): string {
  if (textFrom >= 0) return text.slice(textFrom, textTo)
  return Buffer.from(JSON.stringify(deltaText(text)).slice(1, -1)).toString('latin1')
}

function unescaped(escaped: string): string {
  try {
    return JSON.parse(`"${escaped}"`)
  } catch {
    return escaped
  }
}
