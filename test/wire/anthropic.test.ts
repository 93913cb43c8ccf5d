import { anthropicReplay } from './dialects/anthropic.js'
import { anthropicFaults } from './dialects/anthropic-faults.js'
import { anthropicLoop } from './dialects/anthropic-strict.js'
import { faults } from './dialects/faults.js'
import { toolLoops } from './dialects/loop.js'
import { replays } from './dialects/replay.js'

replays(anthropicReplay)
toolLoops(anthropicLoop)
faults(anthropicFaults)
