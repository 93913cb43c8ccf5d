import type { Recorded } from '../../support/fixtures.js'
import type { DialectReplay } from './replay.js'
import type { Said } from './said.js'

type Json = Record<string, unknown>

/** Google takes every name in both spellings; inside these everything is the caller's own. */
const OPAQUE = new Set([
  'args',
  'response',
  'parameters',
  'parametersJsonSchema',
  'responseJsonSchema',
  'responseSchema',
])

/** Names in camel case, but for what is the caller's own. */
function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camel)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const name = key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
      return [name, OPAQUE.has(name) ? inner : camel(inner)]
    }),
  )
}

const standard64 = (text: unknown) => String(text).replace(/-/g, '+').replace(/_/g, '/')

/** What the newest models take for the signature of a call that another model made. */
const UNSIGNED = Buffer.from('context_engineering_is_the_way_to_go').toString('base64')

const dataUrl = ({ mimeType, data }: Json) => `data:${mimeType as string};base64,${standard64(data)}`

function contentPart(part: Json): Json {
  const { text, inlineData, fileData, videoMetadata } = part as Record<string, Json | undefined>
  const beside = videoMetadata === undefined ? {} : { extra_content: { google: { video_metadata: videoMetadata } } }
  if (text !== undefined) return { type: 'text', text }
  if (inlineData !== undefined) {
    const url = dataUrl(inlineData)
    return String(inlineData.mimeType).startsWith('image/')
      ? { type: 'image_url', image_url: { url } }
      : { type: 'file', file: { file_data: url } }
  }
  const { fileUri, mimeType } = fileData!
  if (String(fileUri).includes('youtu')) return { type: 'video_url', video_url: { url: fileUri }, ...beside }
  return { type: 'file', file: { file_id: fileUri, format: mimeType }, ...beside }
}

function signed(signature: unknown): Json {
  if (signature === undefined || standard64(signature) === UNSIGNED) return {}
  return { extra_content: { google: { thought_signature: signature } } }
}

function modelMessage(parts: Json[]): Json {
  const texts = parts.filter(({ text, thought }) => text !== undefined && thought !== true)
  const calls = parts.filter(({ functionCall }) => functionCall !== undefined)
  const isOwn = (part: Json) => 'toolCall' in part || 'toolResponse' in part
  const carried = parts.map((part) => {
    if (part.functionCall !== undefined) return { call: (part.functionCall as Json).id }
    if (part.text === undefined) return part
    const { text, ...rest } = part
    return { length: (text as string).length, ...rest }
  })
  const needsCarried = parts.some(
    (part) => isOwn(part) || (part.text !== undefined && part.thoughtSignature !== undefined),
  )
  const thoughts = parts.flatMap(({ text, thought }) => (thought === true ? [text] : [])).join('')
  return {
    role: 'assistant',
    content: texts.length === 0 ? null : texts.map(({ text }) => text).join(''),
    ...(thoughts === '' ? {} : { reasoning_content: thoughts }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ functionCall, thoughtSignature }) => {
            const { id, name, args } = functionCall as Json
            return {
              id,
              type: 'function',
              function: { name, arguments: JSON.stringify(args) },
              ...signed(thoughtSignature),
            }
          }),
        }),
    ...(needsCarried ? { extra_content: { google: { parts: carried } } } : {}),
  }
}

function messagesOf({ role, parts }: { role: string; parts: Json[] }): Json[] {
  if (role === 'model') return [modelMessage(parts)]
  const results = parts.flatMap(({ functionResponse }) => {
    if (functionResponse === undefined) return []
    const { id, response, parts: media = [] } = functionResponse as { id: string; response: unknown; parts?: Json[] }
    const text = { type: 'text', text: JSON.stringify(response) }
    return [{ role: 'tool', tool_call_id: id, content: [text, ...media.map(contentPart)] }]
  })
  const others = parts.filter(({ functionResponse }) => functionResponse === undefined)
  return others.length === 0 ? results : [...results, { role: 'user', content: others.map(contentPart) }]
}

interface Generation extends Json {
  responseJsonSchema?: unknown
  responseSchema?: unknown
  thinkingConfig?: Json
}

function generation({ thinkingConfig, ...config }: Generation): Json {
  const schema = config.responseJsonSchema ?? config.responseSchema
  const json = config.responseMimeType === 'application/json'
  const isOff = thinkingConfig?.thinkingBudget === 0 && Object.keys(thinkingConfig).length === 1
  return present({
    max_completion_tokens: config.maxOutputTokens,
    temperature: config.temperature,
    top_p: config.topP,
    top_k: config.topK,
    stop: config.stopSequences,
    reasoning_effort: isOff ? 'none' : undefined,
    thinking_config: isOff ? undefined : thinkingConfig,
    response_format: !json
      ? undefined
      : schema === undefined
        ? { type: 'json_object' }
        : { type: 'json_schema', json_schema: { name: 'answer', schema } },
  })
}

function toolsOf(request: Json): Json {
  const list = (request.tools ?? []) as Json[]
  const { functionCallingConfig: calling = {}, includeServerSideToolInvocations: server } = (request.toolConfig ??
    {}) as { functionCallingConfig?: { mode?: string; allowedFunctionNames?: string[] } } & Json
  const declared = list.flatMap(({ functionDeclarations = [] }) => functionDeclarations as Json[])
  const functions = declared.map(({ name, description, parameters, parametersJsonSchema }) => ({
    type: 'function',
    function: present({
      name,
      description,
      parameters: parametersJsonSchema ?? (parameters === undefined ? undefined : jsonSchema(parameters)),
      strict: calling.mode === 'VALIDATED' ? true : undefined,
    }),
  }))
  const names = calling.allowedFunctionNames
  const allowed = { mode: 'required', tools: names?.map((name) => ({ type: 'function', function: { name } })) }
  const all = [...list.filter((tool) => !('functionDeclarations' in tool)), ...functions]
  return present({
    tools: all.length === 0 ? undefined : all,
    tool_choice:
      calling.mode !== 'ANY'
        ? undefined
        : names === undefined || names.length === declared.length
          ? 'required'
          : { type: 'allowed_tools', allowed_tools: allowed },
    include_server_side_tool_invocations: server,
  })
}

function toOpenAI({ request: recorded, path }: Recorded): Json {
  const request = camel(recorded) as Json
  const system = ((request.systemInstruction as Json | undefined)?.parts ?? []) as Json[]
  return {
    model: /models\/([^:]+):/.exec(path)![1],
    ...(path.includes(':stream') ? { stream: true, stream_options: { include_usage: true } } : {}),
    messages: [
      ...(system.length === 0 ? [] : [{ role: 'system', content: system.map(contentPart) }]),
      ...(request.contents as { role: string; parts: Json[] }[]).flatMap(messagesOf),
    ],
    ...generation((request.generationConfig ?? {}) as Generation),
    ...toolsOf(request),
    ...present({ cached_content: request.cachedContent, safety_settings: request.safetySettings }),
  }
}

/** A request with its defaults and its shorthands gone: what is left means something. */
function meaning(recorded: Json): unknown {
  const request = camel(recorded) as Json
  const { responseModalities, responseJsonSchema, responseSchema, ...config } = (request.generationConfig ??
    {}) as Generation
  const schema = responseJsonSchema ?? responseSchema
  const list = (request.tools ?? []) as Json[]
  const declared = list.flatMap(({ functionDeclarations = [] }) => functionDeclarations as Json[])
  return present({
    ...request,
    systemInstruction: ((request.systemInstruction as Json | undefined)?.parts as Json[] | undefined)?.map(partMeaning),
    contents: (request.contents as { role: string; parts: Json[] }[]).flatMap(({ role, parts }) => {
      const said = joined(parts.filter(({ text }) => text !== '')).map(partMeaning)
      return said.length === 0 ? [] : [{ role, parts: said }]
    }),
    generationConfig: filled({
      ...config,
      responseModalities: JSON.stringify(responseModalities) === '["TEXT"]' ? undefined : responseModalities,
      responseJsonSchema: schema === undefined ? undefined : jsonSchema(schema),
    }),
    tools: filled({
      own: list.filter((tool) => !('functionDeclarations' in tool)),
      functions: declared.map(({ name, description, parameters, parametersJsonSchema }) =>
        present({
          name,
          description: description === '' ? undefined : description,
          schema: jsonSchema(parametersJsonSchema ?? parameters),
        }),
      ),
    }),
    toolConfig: toolConfig(request.toolConfig as Json | undefined, declared.length),
  })
}

function toolConfig(config: Json = {}, declared: number): unknown {
  const { mode, allowedFunctionNames: names } = (config.functionCallingConfig ?? {}) as {
    mode?: string
    allowedFunctionNames?: string[]
  }
  return filled({
    server: config.includeServerSideToolInvocations,
    mode: mode === 'AUTO' ? undefined : mode,
    names: names?.length === declared ? undefined : names,
  })
}

/** Thoughts in a row are one. */
function joined(parts: Json[]): Json[] {
  const all: Json[] = []
  for (const part of parts) {
    const last = all.at(-1)
    if (part.thought !== true || last?.thought !== true) all.push({ ...part })
    else last.text = `${last.text as string}${part.text as string}`
  }
  return all
}

function partMeaning({ thoughtSignature, inlineData, functionResponse, ...part }: Json): unknown {
  const result = functionResponse as (Json & { parts?: Json[] }) | undefined
  return present({
    ...part,
    thoughtSignature: thoughtSignature === undefined ? undefined : standard64(thoughtSignature),
    inlineData: inlineData === undefined ? undefined : dataUrl(inlineData as Json),
    functionResponse: result && present({ ...result, parts: result.parts?.map(partMeaning) }),
  })
}

/** Types in lower case, as JSON Schema has them and OpenAPI's subset has not. */
function jsonSchema(value: unknown, isProperties = false): unknown {
  if (Array.isArray(value)) return value.map((inner) => jsonSchema(inner))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key === 'type' && typeof inner === 'string' && !isProperties) return [key, inner.toLowerCase()]
      return [key, jsonSchema(inner, key === 'properties')]
    }),
  )
}

/** Without what is absent. */
const present = (json: Json): Json =>
  Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined))
/** The same; undefined where nothing is left. */
const filled = (json: Json): Json | undefined => {
  const left = present(json)
  return Object.values(left).every((value) => Array.isArray(value) && value.length === 0) ? undefined : left
}

const FILTERED = new Set(['SAFETY', 'RECITATION', 'PROHIBITED_CONTENT'])

function said({ body, contentType }: Recorded): Said {
  const events = contentType.startsWith('text/event-stream')
    ? body.split('\n').flatMap((line) => (line.startsWith('data:') ? [JSON.parse(line.slice(5)) as Json] : []))
    : [JSON.parse(body) as Json]
  const candidates = events.map((event) => ((event.candidates ?? []) as Json[])[0] ?? {})
  const parts = candidates.flatMap(({ content }) => ((content as Json | undefined)?.parts ?? []) as Json[])
  const text = (thoughts: boolean) =>
    parts.flatMap((part) => ((part.thought === true) === thoughts ? [part.text ?? ''] : [])).join('')
  const tools = parts.flatMap(({ functionCall }) => {
    const call = functionCall as Json | undefined
    return call === undefined ? [] : [{ name: call.name as string, arguments: call.args }]
  })
  const reason = candidates.findLast(({ finishReason }) => finishReason !== undefined)!.finishReason as string
  const usage = events.at(-1)!.usageMetadata as Record<string, number | undefined>
  return {
    text: text(false),
    reasoning: text(true),
    tools,
    finish: FILTERED.has(reason)
      ? 'content_filter'
      : reason === 'MAX_TOKENS'
        ? 'length'
        : tools.length > 0
          ? 'tool_calls'
          : 'stop',
    usage: {
      prompt: usage.promptTokenCount! + (usage.toolUsePromptTokenCount ?? 0),
      completion: (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0),
      cached: usage.cachedContentTokenCount ?? 0,
      cacheWrite: 0,
      reasoning: usage.thoughtsTokenCount ?? 0,
    },
  }
}

export const geminiReplay: DialectReplay = {
  dialect: 'gemini',
  type: 'google',
  toOpenAI,
  meaning,
  path: ({ path }) => {
    const [, model, method] = /models\/([^:]+):(\w+)/.exec(path)!
    return `/v1beta/models/${model}:${method}${method === 'generateContent' ? '' : '?alt=sse'}`
  },
  said,
}
