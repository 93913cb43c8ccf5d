type Fields = Readonly<Record<string, unknown>>

/** One thing that a request of OpenAI's dialect can ask for. */
export interface Feature {
  readonly name: string
  readonly kind?: 'embeddings'
  /** The least request that asks for it, beside the model and a message. */
  readonly params: Fields
  /** Whether a request asks for it. */
  uses(params: Fields): boolean
  /** Whether an upstream body fakes it: it holds something that nobody asked for. */
  fakes?(body: Fields): boolean
}

const PIXEL = 'data:image/png;base64,iVBORw0KGgo='
const PAGE = 'data:application/pdf;base64,JVBERi0='
const SCHEMA = {
  type: 'object',
  properties: { a: { type: 'string' } },
  required: ['a'],
  additionalProperties: false,
}
const TOOL = { type: 'function', function: { name: 'look', description: 'Looks.', parameters: SCHEMA } }
const CALL = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"a":"b"}' } }

const user = (...content: Fields[]) => ({ messages: [{ role: 'user', content }] })
const text = { type: 'text', text: 'What is this?' }
const image = (url: string) => ({ type: 'image_url', image_url: { url } })
const loop = (content: unknown) => ({
  tools: [TOOL],
  messages: [
    { role: 'user', content: 'Look.' },
    { role: 'assistant', content: null, tool_calls: [CALL] },
    { role: 'tool', tool_call_id: CALL.id, content },
  ],
})

const partsIn = (params: Fields): Fields[] =>
  messagesIn(params).flatMap(({ content }) => (Array.isArray(content) ? (content as Fields[]) : []))
const messagesIn = ({ messages }: Fields): Fields[] => (Array.isArray(messages) ? (messages as Fields[]) : [])
const urlOf = (part: Fields) => String((part.image_url as Fields | undefined)?.url ?? part.image_url)
const has = (field: string) => (params: Fields) => params[field] !== undefined && params[field] !== null
const formatOf = ({ response_format: format }: Fields) => (format as Fields | undefined)?.type
const addsTool = ({ tools }: Fields) => Array.isArray(tools) && tools.length > 0

const field = (name: string, value: unknown): Feature => ({ name, params: { [name]: value }, uses: has(name) })

/** Rows of the table of features, in its order. */
export const FEATURES: readonly Feature[] = [
  { name: 'streams', params: { stream: true }, uses: ({ stream }) => stream === true },
  {
    name: 'system and developer messages',
    params: {
      messages: [
        { role: 'system', content: 'Be terse.' },
        { role: 'developer', content: 'Be kind.' },
        { role: 'user', content: 'Hi.' },
      ],
    },
    uses: (params) => messagesIn(params).some(({ role }) => role === 'system' || role === 'developer'),
  },
  {
    name: 'images by URL',
    params: user(text, image('https://example.com/a.png')),
    uses: (params) => partsIn(params).some((part) => part.type === 'image_url' && urlOf(part).startsWith('http')),
  },
  {
    name: 'images in base64',
    params: user(text, image(PIXEL)),
    uses: (params) => partsIn(params).some((part) => part.type === 'image_url' && urlOf(part).startsWith('data:')),
  },
  {
    name: 'files in base64',
    params: user(text, { type: 'file', file: { filename: 'a.pdf', file_data: PAGE } }),
    uses: (params) => partsIn(params).some(({ type }) => type === 'file'),
  },
  {
    name: 'audio input',
    params: user(text, { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }),
    uses: (params) => partsIn(params).some(({ type }) => type === 'input_audio'),
  },
  { name: 'tools', params: { tools: [TOOL] }, uses: has('tools') },
  {
    name: 'tool results',
    params: loop('A cat.'),
    uses: (params) => messagesIn(params).some(({ role }) => role === 'tool'),
  },
  {
    name: 'tool results with images',
    params: loop([text, image(PIXEL)]),
    uses: (params) =>
      messagesIn(params).some(({ role, content }) => {
        return role === 'tool' && Array.isArray(content) && content.some(({ type }: Fields) => type !== 'text')
      }),
  },
  {
    name: 'forced tools',
    params: { tools: [TOOL], tool_choice: { type: 'function', function: { name: 'look' } } },
    uses: ({ tool_choice: choice }) => choice === 'required' || typeof choice === 'object',
  },
  {
    name: 'no parallel tool calls',
    params: { tools: [TOOL], parallel_tool_calls: false },
    uses: ({ parallel_tool_calls: parallel }) => parallel === false,
  },
  {
    name: 'JSON',
    params: { response_format: { type: 'json_object' } },
    uses: (params) => formatOf(params) === 'json_object',
    fakes: addsTool,
  },
  {
    name: 'JSON of a schema',
    params: { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: SCHEMA, strict: true } } },
    uses: (params) => formatOf(params) === 'json_schema',
    fakes: addsTool,
  },
  field('reasoning_effort', 'low'),
  field('temperature', 0.5),
  field('top_p', 0.9),
  field('stop', ['END']),
  field('seed', 7),
  field('frequency_penalty', 0.5),
  field('presence_penalty', 0.5),
  { name: 'logprobs', params: { logprobs: true, top_logprobs: 2 }, uses: ({ logprobs }) => logprobs === true },
  field('logit_bias', { 42: 1 }),
  { name: 'several choices (n)', params: { n: 2 }, uses: ({ n }) => typeof n === 'number' && n > 1 },
  field('service_tier', 'auto'),
  field('web_search_options', {}),
  field('verbosity', 'low'),
  { name: 'embeddings', kind: 'embeddings', params: { input: ['a', 'b'] }, uses: has('input') },
  {
    name: 'dimensions of embeddings',
    kind: 'embeddings',
    params: { input: 'a', dimensions: 64 },
    uses: (params) => has('input')(params) && has('dimensions')(params),
  },
]
