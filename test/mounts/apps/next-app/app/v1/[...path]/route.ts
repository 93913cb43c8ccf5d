import { ai } from '../../../lib/gateways'

export const { GET, HEAD, POST, PUT, DELETE, OPTIONS } = ai.handlers
