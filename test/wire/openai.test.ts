import { faults } from './dialects/faults.js'
import { openaiFaults } from './dialects/openai-faults.js'

faults(openaiFaults)
