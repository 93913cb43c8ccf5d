import { anthropicReplay } from './dialects/anthropic.js'
import { replays } from './dialects/replay.js'

replays(anthropicReplay)
