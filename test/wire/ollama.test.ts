import { faults } from './dialects/faults.js'
import { toolLoops } from './dialects/loop.js'
import { ollamaFaults } from './dialects/ollama-faults.js'
import { ollamaLoop } from './dialects/ollama-strict.js'

toolLoops(ollamaLoop)
faults(ollamaFaults)
