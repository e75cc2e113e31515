// Sockets and channels: heartbeats, refusals at the door and at the join, leaving, coming back after a loss.

import { Inbox, until, within } from './inbox.mjs'
import { equal, holds, matches } from './report.mjs'
import { aside, joined, subscribe } from './stage.mjs'

export async function sockets(stage, suite) {
  await Promise.all([
    heartbeats(stage, suite),
    doors(stage, suite),
    joins(stage, suite),
    leaving(stage, suite),
    losses(stage, suite),
  ])
}

async function heartbeats(stage, suite) {
  await suite.check('heartbeats are answered', async () => {
    const beats = new Inbox('a heartbeat')
    const client = stage.client({
      realtime: { heartbeatIntervalMs: 1_000, heartbeatCallback: (status) => beats.put(status) },
    })
    await joined(client.channel(`beats-${aside()}`))
    await beats.first(() => beats.came.filter((status) => status === 'ok').length >= 2)
    equal(
      'others',
      beats.came.filter((status) => !['sent', 'ok'].includes(status)),
      [],
    )
  })
}

async function doors(stage, suite) {
  await suite.check('a wrong key: the socket is refused, CHANNEL_ERROR', async () => {
    const { states } = subscribe(stage.client({ key: 'wrong' }).channel(`door-${aside()}`))
    equal('status', (await states.first()).status, 'CHANNEL_ERROR')
  })
  const upgrade = (query) =>
    new Promise((resolve, reject) => {
      const socket = new stage.WebSocket(`${stage.supabaseUrl.replace('http', 'ws')}/realtime/v1/websocket?${query}`)
      socket.on('unexpected-response', (_, answer) => {
        let text = ''
        answer.on('data', (part) => (text += part)).on('end', () => resolve([answer.statusCode, JSON.parse(text)]))
      })
      socket.on('open', () => reject(new Error('expected a refusal, got an open socket')))
      socket.on('error', reject)
    })
  const expired = stage.mint({ role: 'anon', exp: Math.floor(Date.now() / 1000) - 60 })
  const CASES = {
    'no key': ['vsn=1.0.0', 'API key is missing'],
    'a key that is no token': ['apikey=wrong', 'The token provided is not a valid JWT'],
    'an expired key': [`apikey=${expired}`, 'Token has expired'],
    'a key without role and exp': [`apikey=${stage.mint({ iss: 'x' })}`, 'Fields `role` and `exp` are required in JWT'],
    'a key signed otherwise': [`apikey=${stage.anonKey.slice(0, -8)}AAAAAAAA`, 'Failed to validate JWT signature'],
  }
  await Promise.all(
    Object.entries(CASES).map(([name, [query, error]]) =>
      suite.check(`the upgrade with ${name}: 401`, async () => {
        equal('answer', await within(8_000, 'an answer', upgrade(query)), [401, { error }])
      }),
    ),
  )
}

async function joins(stage, suite) {
  await suite.check('a private channel without permission: CHANNEL_ERROR', async () => {
    const topic = `private-${aside()}`
    const { client } = await stage.person()
    const channel = client.channel(topic, { config: { private: true } })
    const { states } = subscribe(channel)
    const state = await states.first(() => true, 12_000)
    equal('status', state.status, 'CHANNEL_ERROR')
    matches(
      'error',
      state.error,
      new RegExp(`Unauthorized: You do not have permissions to read from this Channel topic: ${topic}`),
    )
    await client.removeChannel(channel)
  })
  await suite.check('a channel without a name: CHANNEL_ERROR', async () => {
    const client = stage.client()
    const channel = client.channel('')
    const { states } = subscribe(channel)
    const state = await states.first(() => true, 12_000)
    equal('status', state.status, 'CHANNEL_ERROR')
    matches('error', state.error, /TopicNameRequired: You must provide a topic name/)
    await client.removeChannel(channel)
  })
  await suite.check('thirty channels on one socket', async () => {
    const client = stage.client()
    const states = await Promise.all([...Array(30).keys()].map((i) => joined(client.channel(`many-${i}-${aside()}`))))
    equal('channels', [states.length, client.getChannels().length], [30, 30])
    await client.removeAllChannels()
  })
}

async function leaving(stage, suite) {
  await suite.check('removeChannel: ok, CLOSED, and the topic may be joined anew', async () => {
    const client = stage.client()
    const topic = `leaving-${aside()}`
    await joined(client.channel(`${topic}-kept`)) // without another channel the client would close its socket
    for (let i = 0; i < 3; i += 1) {
      const channel = client.channel(topic)
      const { states } = await joined(channel)
      equal('removeChannel', await client.removeChannel(channel), 'ok')
      await states.first((state) => state.status === 'CLOSED')
      equal('channels', client.getChannels().length, 1)
    }
  })
  await suite.check('after unsubscribe a channel hears nothing more', async () => {
    const [client, other] = [stage.client(), stage.client()]
    const topic = `deaf-${aside()}`
    const heard = new Inbox('a broadcast')
    const channel = client.channel(topic).on('broadcast', { event: '*' }, heard.put)
    const keep = new Inbox('a broadcast')
    await joined(channel)
    await joined(client.channel(`${topic}-kept`).on('broadcast', { event: '*' }, keep.put))
    equal('unsubscribe', await channel.unsubscribe(), 'ok')
    await joined(other.channel(topic))
    await joined(other.channel(`${topic}-kept`))
    const [talks, fences] = other.getChannels()
    await talks.send({ type: 'broadcast', event: 'unheard', payload: {} })
    await fences.send({ type: 'broadcast', event: 'fence', payload: {} })
    await keep.first((message) => message.event === 'fence')
    equal('broadcasts', heard.came, [])
  })
  await suite.check('removeAllChannels: all ok, and the socket is closed', async () => {
    const client = stage.client()
    await Promise.all([1, 2, 3].map(() => joined(client.channel(`all-${aside()}`))))
    equal('removeAllChannels', await client.removeAllChannels(), ['ok', 'ok', 'ok'])
    await until(5_000, 'a closed socket', () => !client.realtime.isConnected())
  })
}

async function losses(stage, suite) {
  await suite.check('after the loss of its socket the client rejoins and hears again', async () => {
    const sockets = []
    class Kept extends stage.WebSocket {
      constructor(...given) {
        super(...given)
        sockets.push(this)
      }
    }
    const client = stage.client({ realtime: { transport: Kept } })
    const heard = new Inbox('a broadcast')
    const topic = `loss-${aside()}`
    const { states } = await joined(client.channel(topic).on('broadcast', { event: '*' }, heard.put))
    sockets.at(-1).terminate()
    await states.first(() => states.came.length >= 3 && states.came.at(-1).status === 'SUBSCRIBED', 15_000)
    holds(
      'states',
      states.came.some((state) => state.status === 'CHANNEL_ERROR'),
      'a CHANNEL_ERROR on the way',
      states.came,
    )
    const other = stage.client().channel(topic)
    await joined(other)
    await other.send({ type: 'broadcast', event: 'again', payload: {} })
    await heard.first((message) => message.event === 'again')
  })
}
