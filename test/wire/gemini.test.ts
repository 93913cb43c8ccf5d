import { geminiReplay } from './dialects/gemini.js'
import { replays } from './dialects/replay.js'

replays(geminiReplay)
