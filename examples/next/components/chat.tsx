'use client'

import { useChat } from '@ai-sdk/react'
import { useEffect, useState } from 'react'
import { type Budget, readBudget } from '../app/actions'

/** How often the budget is read while a call holds a part of it, ms. */
const WATCH_MS = 300

export function Chat({ budget: atFirst }: { budget: Budget }) {
  const [budget, setBudget] = useState(atFirst)
  const showBudget = async () => setBudget(await readBudget())
  const { messages, sendMessage, status, stop, error } = useChat({ onFinish: showBudget, onError: showBudget })
  const isBusy = status === 'submitted' || status === 'streaming'

  // A call that was stopped a moment ago is settled a moment later.
  useEffect(() => {
    if (budget.held === 0) return
    const timer = setTimeout(async () => setBudget(await readBudget()), WATCH_MS)
    return () => clearTimeout(timer)
  }, [budget])

  // biome-ignore lint/correctness/useExhaustiveDependencies: what comes last stays in sight
  useEffect(() => void window.scrollTo({ top: document.body.scrollHeight }), [messages])

  const send = (form: FormData) => {
    const text = String(form.get('question')).trim()
    if (text !== '' && !isBusy) void sendMessage({ text })
  }
  return (
    <>
      <BudgetLine {...budget} />
      <section className="messages" aria-live="polite">
        {messages.length === 0 && <p className="hint">Ask something. The demo model answers, and needs no key.</p>}
        {messages.map(({ id, role, parts }) => (
          <p key={id} className={role}>
            {parts.map((part) => (part.type === 'text' ? part.text : '')).join('')}
          </p>
        ))}
        {error !== undefined && <p className="error">{error.message}</p>}
      </section>
      <form className="ask" action={send}>
        <input name="question" autoComplete="off" placeholder="Ask something" aria-label="Your question" />
        {isBusy ? (
          <button type="button" onClick={() => void stop()}>
            Stop
          </button>
        ) : (
          <button type="submit">Send</button>
        )}
      </form>
    </>
  )
}

function BudgetLine({ left, of }: Budget) {
  const number = new Intl.NumberFormat('en')
  return (
    <section className="budget">
      <span>Today</span>
      <meter min={0} max={of} low={of / 5} value={left} aria-label="Tokens left today" />
      <output>
        {number.format(left)} of {number.format(of)} tokens left
      </output>
    </section>
  )
}
