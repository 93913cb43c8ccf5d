import type { DlpLevel } from '../options.js'
import { escaped, insideJson, type Unescaper, unescaper } from './escapes.js'
import { folded } from './fold.js'
import { createFolder } from './folder.js'
import { redaction } from './inspect.js'
import { createJsonWriter } from './json-writer.js'
import { higher } from './levels.js'
import { createPass, type Pass } from './pass.js'
import type { Policy } from './policy.js'
import { STAND_IN } from './pseudonyms.js'
import { isChance } from './rule.js'
import type { RequestText } from './texts.js'

/** One text of an answer on its way to the caller. What is given back is what may be told of it by then. */
export interface Channel {
  push(piece: string): string
  end(): string
}

/** What all channels of an answer share. */
export interface Filtering {
  readonly policy: Policy
  /** Values by stand-in. */
  readonly restore: ReadonlyMap<string, string>
  /** What was redacted so far. */
  readonly redacted: { count: number; level: DlpLevel; readonly names: Set<string> }
}

/** How a text is to be read. */
export type Manner = Omit<RequestText, 'text'>

export function createChannel({ policy, restore, redacted }: Filtering, { isJson, isOpaque }: Manner): Channel {
  const folder = createFolder(isJson)
  const writer = isJson ? createJsonWriter() : null
  let out = ''
  /** What a match was written as; null outside of one. */
  let value: string | null = null
  let isFirst = true
  const say = (text: string) => {
    out += writer === null ? text : escaped(writer.keep(text))
  }
  const pass: Pass = createPass(
    policy.answers ?? policy.standIns,
    {
      plain(_text, start, end) {
        say(folder.take(end - start))
        isFirst = false
      },
      matched(length) {
        if (value === null) say(folder.unseen())
        value = (value ?? '') + folder.take(length)
      },
      found(rule, beginning) {
        const { name, level } = rule
        const written = value!
        const begins = isFirst
        value = null
        isFirst = false
        if (name === STAND_IN.name) {
          const meant = restore.get(beginning)
          if (meant === undefined) say(written)
          else out += writer === null ? meant : writer.put(insideJson(meant))
        } else if (isOpaque === true && isChance(rule, begins ? 0 : 1)) say(written)
        else {
          redacted.count += 1
          redacted.names.add(name)
          redacted.level = higher(redacted.level, policy.rule(name, level).level)
          const instead = redaction(name)
          out += writer === null ? instead : escaped(writer.replace(written, () => instead))
        }
      },
    },
    { releasesWords: policy.releasesWords || policy.answers === null },
  )
  const read: Unescaper | null = isJson ? unescaper() : null
  const taken = () => {
    // Outside of a match nobody waits for what cannot be seen.
    if (value === null && folder.isEmpty) say(folder.unseen())
    const text = out
    out = ''
    return text
  }
  return {
    push(piece) {
      pass.push(folder.push(read === null ? piece : read.push(piece)))
      return taken()
    },
    end() {
      if (read !== null) pass.push(folder.push(read.rest()))
      pass.push(folder.rest())
      pass.end()
      const text = taken()
      return writer === null ? text : text + escaped(writer.end())
    },
  }
}

/** A text that came whole. */
export function passedWhole(filtering: Filtering, text: string, manner: Manner): string {
  const scanner = filtering.policy.answers ?? filtering.policy.standIns
  const isWritten = manner.isJson && text.includes('\\')
  if (!isWritten && scanner.next(folded(text, manner.isJson).text, 0, []) === null) return text
  const channel = createChannel(filtering, manner)
  return channel.push(text) + channel.end()
}
