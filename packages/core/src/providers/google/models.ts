/** Where a model is: `/models/gemini-2.5-pro`; a name with a folder of its own (`tunedModels/x`) keeps it. */
export function modelPath(model: string): string {
  const name = /^\w+\//.test(model) ? model : `models/${model}`
  return `/${name.split('/').map(encodeURIComponent).join('/')}`
}

/** Ids of a list, without their folder. */
export function modelIdsOf(list: unknown): string[] {
  return (list as { models: { name: string }[] }).models.map(({ name }) => name.replace(/^models\//, ''))
}
