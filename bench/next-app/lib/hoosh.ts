import { createHoosh } from '@hoosh/next'
import { identify, options } from '../../dist/servers/hoosh-options.js'

export const ai = createHoosh({ ...options, identify })
