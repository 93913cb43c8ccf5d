import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, convertToModelMessages, streamText, type UIMessage } from 'ai'
import { ai } from '../../../lib/hoosh'

/** What `useChat` talks to. The AI SDK calls the model through hoosh's `fetch`: under the caller's budget, without a hop. */
export async function POST(request: Request): Promise<Response> {
  const { messages } = (await request.json()) as { messages: UIMessage[] }
  const { fetch } = await ai.context(request)
  const hoosh = createOpenAICompatible({ name: 'hoosh', baseURL: 'http://hoosh/v1', fetch })
  const result = streamText({
    model: hoosh('demo-slow'),
    messages: await convertToModelMessages(messages),
    abortSignal: request.signal, // so that Stop stops the provider
    maxRetries: 0, // hoosh has tried what there is
  })
  return result.toUIMessageStreamResponse({ onError: reasonOf })
}

/** hoosh's own words: what is missing, and until when. */
function reasonOf(error: unknown): string {
  if (!APICallError.isInstance(error)) return 'Something went wrong.'
  return (JSON.parse(error.responseBody ?? '{}') as { error?: { message: string } }).error?.message ?? error.message
}
