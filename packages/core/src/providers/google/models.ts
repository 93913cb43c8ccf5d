/** A model's name may have the folder in front under which Google keeps it. */
const FOLDER = /^(models|tunedModels)\//

/** Where a model is: `/models/gemini-2.5-pro`. A name is one segment of the path, whatever it holds. */
export function modelPath(model: string): string {
  const folder = FOLDER.exec(model)?.[1]
  const name = folder === undefined ? model : model.slice(folder.length + 1)
  return `/${folder ?? 'models'}/${encodeURIComponent(name)}`
}

/** Ids of a list, without their folder. */
export function modelIdsOf(list: unknown): string[] {
  return (list as { models: { name: string }[] }).models.map(({ name }) => name.replace(/^models\//, ''))
}
