import { ai } from '../../../lib/hoosh'

export const { GET, POST, PUT, DELETE, OPTIONS } = ai.handlers
