import { cookies } from 'next/headers'
import { Chat } from '../components/chat'
import { SESSION, signedIn, USERS } from '../lib/session'
import { readBudget, signIn, signOut } from './actions'

export default async function Page() {
  const user = signedIn((await cookies()).get(SESSION)?.value)
  if (user === null) return <Login />
  return (
    <main>
      <header>
        <h1>hoosh in Next.js</h1>
        <form action={signOut}>
          <span>{user.name}</span>
          <button type="submit" className="quiet">
            Sign out
          </button>
        </form>
      </header>
      <Chat budget={await readBudget()} />
    </main>
  )
}

function Login() {
  return (
    <main className="login">
      <h1>hoosh in Next.js</h1>
      <p>Two people have an account here. No password: this is an example. Each has 2,000 tokens a day.</p>
      <form action={signIn}>
        {USERS.map(({ id, name }) => (
          <button key={id} type="submit" name="user" value={id}>
            Sign in as {name}
          </button>
        ))}
      </form>
    </main>
  )
}
