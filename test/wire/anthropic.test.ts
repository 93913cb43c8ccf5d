import { anthropicReplay } from './dialects/anthropic.js'
import { anthropicLoop } from './dialects/anthropic-strict.js'
import { toolLoops } from './dialects/loop.js'
import { replays } from './dialects/replay.js'

replays(anthropicReplay)
toolLoops(anthropicLoop)
