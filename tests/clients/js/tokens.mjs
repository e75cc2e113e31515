// Tokens on an open socket: signing in after the join, refreshing in time, running out, and joins with bad ones.

import { Inbox, until } from './inbox.mjs'
import { data, equal, holds, matches } from './report.mjs'
import { end, pair } from './searching.mjs'
import { aside, joined, subscribe } from './stage.mjs'

export async function tokens(stage, suite) {
  const [one, two] = await suite.must('two people', () => Promise.all([stage.person(), stage.person()]))
  const { id } = await suite.must('a session', () => pair(stage, one, two))
  const post = async () =>
    data(await one.client.from('messages').insert({ session_id: id, sender_id: one.user, content: 'hello' }))
  await signedInLater(stage, suite, two, post)
  await refreshed(stage, suite, two, post)
  await running(stage, suite, two, post)
  await refused(stage, suite, two)
  data(await end(one, id))
}

/** Listens to all messages. */
function listening(client) {
  const seen = new Inbox('a message')
  const channel = client
    .channel(`tokens-${aside()}`)
    .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'messages' }, seen.put)
  return { channel, seen }
}

/** Posts messages until one is seen: nothing tells the client when the server has taken a new token over. */
const seenAfterAll = (seen, post) =>
  until(
    15_000,
    'a message',
    async () => {
      const before = seen.came.length
      await post()
      return seen
        .first(() => seen.came.length > before, 1_000)
        .then(
          () => true,
          () => false,
        )
    },
    0,
  )

async function signedInLater(stage, suite, person, post) {
  const client = stage.client()
  const { channel, seen } = listening(client)
  await suite.must('a channel joined as nobody', () => joined(channel, { changes: true }))
  await suite.check('nobody sees nothing', async () => {
    const fence = listening(person.client)
    await joined(fence.channel, { changes: true })
    await post()
    await fence.seen.first()
    equal('messages', seen.came, [])
  })
  await suite.check('after signing in, the open channel sees what the user may see', async () => {
    const { session } = data(await person.client.auth.getSession())
    data(await client.auth.setSession(session))
    await seenAfterAll(seen, post)
  })
}

async function refreshed(stage, suite, person, post) {
  await suite.check('after refreshSession the open channel goes on', async () => {
    const { channel, seen } = listening(person.client)
    const { states } = await joined(channel, { changes: true })
    await post()
    await seen.first()
    data(await person.client.auth.refreshSession())
    await seenAfterAll(seen, post)
    await seenAfterAll(seen, post)
    equal(
      'states',
      states.came.map((state) => state.status),
      ['SUBSCRIBED'],
    )
  })
}

async function running(stage, suite, person, post) {
  const { token } = await session(person)
  const soon = (seconds) => stage.alike(token, { exp: Math.floor(Date.now() / 1000) + seconds })

  const runsOut = suite.check('a token that runs out on an open channel: told, then CLOSED', async () => {
    const client = stage.client({ accessToken: soon(3) })
    await client.realtime.setAuth()
    const { states, system } = await joined(listening(client).channel, { changes: true })
    const told = await system.first((m) => m.status === 'error', 15_000)
    matches('message', told.message, /^Token has expired \d+ seconds? ago$/)
    await states.first((state) => state.status === 'CLOSED', 5_000)
  })
  const inTime = suite.check('a token that is replaced in time keeps the channel open', async () => {
    const first = soon(3)
    const end = JSON.parse(Buffer.from(first.split('.')[1], 'base64url')).exp
    let now = first
    const client = stage.client({ accessToken: () => now })
    await client.realtime.setAuth()
    const { channel, seen } = listening(client)
    const { states } = await joined(channel, { changes: true })
    now = token
    await client.realtime.setAuth()
    await until(10_000, 'the end of the first token', () => Date.now() / 1000 > end + 1)
    await seenAfterAll(seen, post)
    equal(
      'states',
      states.came.map((state) => state.status),
      ['SUBSCRIBED'],
    )
  })
  await Promise.all([runsOut, inTime])
}

async function refused(stage, suite, person) {
  const { token } = await session(person)
  const now = Math.floor(Date.now() / 1000)
  const CASES = {
    'an expired token': [stage.alike(token, { exp: now - 60 }), /InvalidJWTToken: Token has expired \d+ seconds ago/],
    'something that is no token': ['abc', /MalformedJWT: The token provided is not a valid JWT/],
    'a token signed with another key': [
      `${token.slice(0, -8)}AAAAAAAA`,
      /JwtSignatureError: Failed to validate JWT signature/,
    ],
    'a token without role and exp': [
      stage.mint({ sub: person.user }),
      /InvalidJWTToken: Fields `role` and `exp` are required in JWT/,
    ],
  }
  await Promise.all(
    Object.entries(CASES).map(([name, [bad, reason]]) =>
      suite.check(`a join with ${name}: CHANNEL_ERROR`, async () => {
        const client = stage.client({ accessToken: bad })
        await client.realtime.setAuth()
        const channel = client.channel(`refused-${aside()}`)
        const { states } = subscribe(channel)
        const state = await states.first(() => true, 12_000)
        equal('status', state.status, 'CHANNEL_ERROR')
        matches('error', state.error, reason)
        await client.removeChannel(channel)
      }),
    ),
  )
}

async function session(person) {
  const { session: current } = data(await person.client.auth.getSession())
  holds('session', current, 'a session', current)
  return { token: current.access_token }
}
