import { type ModelFacts, modelFacts } from '../providers/models.js'
import type { Route } from '../routing/route.js'

/** What is known of a model on a route: the demo is itself, whatever name it was asked by. */
export function factsOn(route: Route, model: string): ModelFacts | null {
  return modelFacts(route.type === 'demo' ? 'demo' : model)
}
