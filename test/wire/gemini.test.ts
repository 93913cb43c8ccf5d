import { faults } from './dialects/faults.js'
import { geminiReplay } from './dialects/gemini.js'
import { geminiFaults } from './dialects/gemini-faults.js'
import { geminiLoop } from './dialects/gemini-strict.js'
import { toolLoops } from './dialects/loop.js'
import { replays } from './dialects/replay.js'

replays(geminiReplay)
toolLoops(geminiLoop)
faults(geminiFaults)
