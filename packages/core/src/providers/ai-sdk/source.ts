import { HooshError } from '../../errors.js'
import type { ProviderOptions } from '../../options.js'

/** A language model of the AI SDK, specification 2 or 3 (`ai` 5 and 6). */
export interface AiSdkModel {
  readonly provider: string
  readonly modelId: string
  doGenerate(options: never): PromiseLike<unknown>
  doStream(options: never): PromiseLike<unknown>
}

/** An embedding model of the AI SDK. */
export interface AiSdkEmbeddingModel {
  readonly provider: string
  readonly modelId: string
  doEmbed(options: never): PromiseLike<unknown>
}

/** A provider of the AI SDK: `createAmazonBedrock()`, `createVertex()`, `azure`, whatever has `languageModel`. */
export interface AiSdkProvider {
  languageModel(modelId: string): AiSdkModel
  embeddingModel?(modelId: string): AiSdkEmbeddingModel
  textEmbeddingModel?(modelId: string): AiSdkEmbeddingModel
}

/** Where calls of a route go. */
export type AiSdkSource = AiSdkProvider | AiSdkModel | AiSdkEmbeddingModel

/** What such a route can say beside its source; addresses, keys and connections are the package's own. */
export type AiSdkRouteOptions = Pick<
  ProviderOptions,
  'name' | 'models' | 'priority' | 'rpm' | 'concurrency' | 'maxTokens' | 'enabled' | 'local' | 'fallbacks'
>

/**
 * A provider or a model of the AI SDK as a route, which brings every provider that has a package for it: chat, streams,
 * tools, embeddings. `@ai-sdk/provider` names the interfaces.
 *
 * A model serves its own name unless `models` says otherwise. Prices come from `prices` of the gateway, or from the table
 * where the package's provider is in it.
 *
 * @example
 * createGateway({ providers: [fromAiSdk(createAmazonBedrock({ region: 'eu-central-1' }), { name: 'bedrock' })] })
 */
export function fromAiSdk(source: AiSdkSource, options: AiSdkRouteOptions = {}): ProviderOptions {
  const own = 'modelId' in source ? { models: [source.modelId] } : {}
  return { type: 'ai-sdk', ...own, ...options, sdk: source }
}

/** @throws HooshError `invalid_options` where a route was given no such source */
export function sourceOf({ sdk, name = 'ai-sdk' }: Pick<ProviderOptions, 'sdk' | 'name'>): AiSdkSource {
  const methods = ['languageModel', 'doGenerate', 'doEmbed']
  if (sdk !== undefined && methods.some((method) => method in sdk)) return sdk as AiSdkSource
  throw new HooshError('invalid_options', {
    message: `The provider "${name}" needs a provider or a model of the AI SDK: write \`fromAiSdk(source, { name })\`.`,
  })
}

/**
 * How a source names its provider (`amazon-bedrock`, `openai.chat`); empty where it has to be asked for a model first and
 * has none that it can show.
 */
export function providerOf(config: Pick<ProviderOptions, 'sdk' | 'name'>): string {
  const source = sourceOf(config)
  if ('provider' in source && typeof source.provider === 'string') return source.provider
  try {
    return 'languageModel' in source ? source.languageModel('any').provider : ''
  } catch {
    return '' // a package that needs its key for that
  }
}

/** @throws HooshError `model_not_found` for a source that has no such model, or only of the other kind */
export function languageModel(source: AiSdkSource, model: string): AiSdkModel {
  if ('doGenerate' in source) return source
  if ('languageModel' in source) return source.languageModel(model)
  throw noModel(model, 'a language model')
}

/** @throws HooshError `model_not_found` for a source that has no such model, or only of the other kind */
export function embeddingModel(source: AiSdkSource, model: string): AiSdkEmbeddingModel {
  if ('doEmbed' in source) return source
  if ('languageModel' in source) {
    const found = source.embeddingModel?.(model) ?? source.textEmbeddingModel?.(model)
    if (found !== undefined) return found
  }
  throw noModel(model, 'an embedding model')
}

function noModel(model: string, what: string): HooshError {
  return new HooshError('model_not_found', {
    message: `This provider has nothing that is ${what} named "${model}".`,
    details: { param: 'model' },
  })
}
