'use client'

import { useChat } from '@ai-sdk/react'
import { type FormEvent, useState } from 'react'
import { type Budget, readBudget } from '../app/actions'

export function Chat({ budget: atFirst }: { budget: Budget }) {
  const [budget, setBudget] = useState(atFirst)
  const [text, setText] = useState('')
  const showBudget = async () => setBudget(await readBudget())
  const { messages, sendMessage, status, stop, error } = useChat({ onFinish: showBudget, onError: showBudget })
  const isBusy = status === 'submitted' || status === 'streaming'

  const send = (event: FormEvent) => {
    event.preventDefault()
    if (isBusy || text.trim() === '') return
    setText('')
    void sendMessage({ text })
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
      <form className="ask" onSubmit={send}>
        <input
          value={text}
          onChange={({ target }) => setText(target.value)}
          placeholder="Ask something"
          aria-label="Your question"
        />
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
