import { deltaText, type StreamEvent } from './stream-event.js'

/**
 * How much output a stream has delivered. Bytes are an upper bound of tokens, so nothing is counted until that bound is
 * asked to become a count; the text is kept until then, and after that each delta is counted as it comes.
 */
export interface OutputTally {
  /** Tokens of one more event: by bytes, or once counting by count; at least 1 where it has a delta. */
  weigh(event: StreamEvent, text: string): number
  /** Adds an event that weighs this much. */
  add(tokens: number, event: StreamEvent, text: string): void
  /** Tokens so far: never fewer than the provider's, exact as far as the counter is. */
  readonly atMost: number
  readonly isCounting: boolean
  /** From here on counts; what came so far is counted at once. */
  startCounting(count: (text: string) => number): void
}

const FIRST_ROOM = 1_024

export function outputTally(): OutputTally {
  let bound = 0
  let events = 0
  let count: ((text: string) => number) | null = null
  let kept: Buffer | null = null
  let used = 0
  const keep = (escaped: string) => {
    const needed = used + escaped.length
    if (kept === null || needed > kept.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_ROOM, needed * 2))
      kept?.copy(larger, 0, 0, used)
      kept = larger
    }
    used += kept.write(escaped, used, 'latin1')
  }
  return {
    weigh(event, text) {
      if (event.atMostTokens === 0) return 0
      return count === null ? event.atMostTokens : Math.max(1, count(deltaText(text)))
    },
    add(tokens, event, text) {
      if (tokens === 0) return
      bound += tokens
      events += 1
      if (count === null) keep(escapedText(event, text))
    },
    get atMost() {
      return bound
    },
    get isCounting() {
      return count !== null
    },
    startCounting(counter) {
      if (count !== null) return
      count = counter
      bound = Math.max(events, kept === null ? 0 : counter(unescaped(kept.toString('utf8', 0, used))))
      kept = null
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
