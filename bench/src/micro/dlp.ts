import { inspectContent } from '../../../packages/core/dist/dlp/inspect.js'
import { createPolicy } from '../../../packages/core/dist/dlp/policy.js'
import { plainRequest } from '../payload.js'
import type { Case } from './case.js'

// What a host pays that has asked to have content looked through, with every built-in pattern.

const PROMPT = 'Please summarise the attached report in three sentences and say which figures matter most to us.'
const MEGABYTE = 1e6

export const dlp: readonly Case[] = [
  { step: 'DLP scan of a clean prompt, 96 bytes', original: 4.4, atMost: 5, make: () => inspecting(PROMPT) },
  { step: 'DLP scan of prose, a kilobyte of 1 MB', times: 1_000, atMost: 50, make: () => inspecting(prose()) },
]

function inspecting(text: string): () => unknown {
  const policy = createPolicy({})
  return () => inspectContent(policy, { texts: [{ text, isJson: false }], unreadable: new Set() })
}

function prose(): string {
  const text = plainRequest(20 * 1024)
  return text.repeat(Math.ceil(MEGABYTE / text.length)).slice(0, MEGABYTE)
}
