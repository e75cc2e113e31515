// Broadcast: between clients, with and without acknowledgement and echo, over REST, in binary, across frame versions.

import { Inbox } from './inbox.mjs'
import { equal, holds, includes } from './report.mjs'
import { aside, joined } from './stage.mjs'

/** A subscribed channel whose broadcasts are kept. */
async function member(client, topic, options) {
  const heard = new Inbox(`a broadcast on ${topic}`)
  const channel = client.channel(topic, options ? { config: { broadcast: options } } : undefined)
  channel.on('broadcast', { event: '*' }, heard.put)
  await joined(channel)
  const last = (event) => heard.first((message) => message.event === event)
  return { channel, heard, last, events: () => heard.came.map((message) => message.event) }
}

const send = (member, event, payload = {}) => member.channel.send({ type: 'broadcast', event, payload })

export async function broadcast(stage, suite) {
  const topic = `room-${aside()}`
  const [plain, echoing, careful] = await suite.must('three members of one topic', () =>
    Promise.all([
      member(stage.client(), topic),
      member(stage.client(), topic, { self: true }),
      member(stage.client(), topic, { ack: true }),
    ]),
  )

  await suite.check('a broadcast reaches the others, with its payload', async () => {
    const payload = { text: 'héllo', list: [1, 2.5, null], nested: { a: true } }
    equal('send', await send(plain, 'one', payload), 'ok')
    for (const other of [echoing, careful]) {
      includes('message', await other.last('one'), { type: 'broadcast', event: 'one', payload })
    }
  })
  await suite.check('an empty payload', async () => {
    await plain.channel.send({ type: 'broadcast', event: 'bare' })
    holds('the message', await echoing.last('bare'), 'a message', null)
  })
  await suite.check('self: true echoes to the sender', async () => {
    await send(echoing, 'two', { n: 2 })
    includes('message', await echoing.last('two'), { payload: { n: 2 } })
  })
  await suite.check('self: false does not', async () => {
    await send(careful, 'fence')
    await plain.last('fence')
    equal(
      'events of the first member',
      plain.events().filter((e) => e === 'one' || e === 'bare'),
      [],
    )
  })
  await suite.check('ack: true answers when the server has it', async () => {
    equal('send', await send(careful, 'three', { n: 3 }), 'ok')
    includes('message', await plain.last('three'), { payload: { n: 3 } })
  })
  await suite.check('in order', async () => {
    for (let n = 0; n < 50; n += 1) send(plain, 'count', { n })
    await send(plain, 'counted')
    await echoing.last('counted')
    equal(
      'numbers',
      echoing.heard.came.filter((m) => m.event === 'count').map((m) => m.payload.n),
      [...Array(50).keys()],
    )
  })
  await suite.check('a listener of one event hears that one only', async () => {
    const client = stage.client()
    const some = new Inbox('a broadcast with that event')
    const all = new Inbox('a broadcast')
    const channel = client
      .channel(topic)
      .on('broadcast', { event: 'wanted' }, some.put)
      .on('broadcast', { event: '*' }, all.put)
    await joined(channel)
    await send(plain, 'unwanted')
    await send(plain, 'wanted')
    await all.first((m) => m.event === 'wanted')
    equal(
      'events',
      some.came.map((m) => m.event),
      ['wanted'],
    )
  })
  await suite.check('another topic hears nothing', async () => {
    const elsewhere = await member(stage.client(), `${topic}-other`, { self: true })
    await send(plain, 'here')
    await echoing.last('here')
    await send(elsewhere, 'own')
    await elsewhere.last('own')
    equal('events', elsewhere.events(), ['own'])
  })
  await overRest(stage, suite, topic, plain)
  if (stage.frames === '2.0.0') await binary(stage, suite, plain, echoing)
  await acrossVersions(stage, suite, topic)
}

async function overRest(stage, suite, topic, listener) {
  const sender = stage.client()
  await suite.check('send() on a channel that is not subscribed goes over REST', async () => {
    equal('send', await sender.channel(topic).send({ type: 'broadcast', event: 'rest', payload: { n: 1 } }), 'ok')
    includes('message', await listener.last('rest'), { type: 'broadcast', event: 'rest', payload: { n: 1 } })
  })
  await suite.check('httpSend()', async () => {
    equal('httpSend', await sender.channel(topic).httpSend('http', { n: 2 }), { success: true })
    includes('message', await listener.last('http'), { event: 'http', payload: { n: 2 } })
  })
  await suite.check('httpSend() to a topic and an event with odd characters', async () => {
    const odd = await member(stage.client(), `${topic}:ä b/c`)
    equal('httpSend', await sender.channel(`${topic}:ä b/c`).httpSend('e v/1', { n: 3 }), { success: true })
    includes('message', await odd.last('e v/1'), { payload: { n: 3 } })
  })
  await suite.check('several messages in one request: 202', async () => {
    const answer = await fetch(`${stage.supabaseUrl}/realtime/v1/api/broadcast`, {
      method: 'POST',
      headers: { apikey: stage.anonKey, 'Content-Type': 'application/json' },
      body: JSON.stringify({ messages: ['x', 'y'].map((event) => ({ topic, event, payload: { event } })) }),
    })
    equal('status', answer.status, 202)
    equal('body', await answer.text(), '')
    await listener.last('x')
    await listener.last('y')
  })
  await suite.check('a request that is no list of messages: 422', async () => {
    const answer = await fetch(`${stage.supabaseUrl}/realtime/v1/api/broadcast`, {
      method: 'POST',
      headers: { apikey: stage.anonKey, 'Content-Type': 'application/json' },
      body: '{"messages":[{"event":1}]}',
    })
    equal('status', answer.status, 422)
  })
}

async function binary(stage, suite, sender, listener) {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => i % 256)
  await suite.check('a binary payload arrives byte for byte', async () => {
    equal('send', await send(sender, 'bytes', bytes.buffer), 'ok')
    const { payload } = await listener.last('bytes')
    holds('payload', payload instanceof ArrayBuffer, 'an ArrayBuffer', payload)
    equal('bytes', [...new Uint8Array(payload)], [...bytes])
  })
  if (stage.version !== '2.86.0') {
    await suite.check('httpSend() of a binary payload', async () => {
      equal('httpSend', await stage.client().channel(sender.channel.subTopic).httpSend('octets', bytes), {
        success: true,
      })
      const { payload } = await listener.last('octets')
      holds('payload', payload instanceof ArrayBuffer, 'an ArrayBuffer', payload)
      equal('bytes', [...new Uint8Array(payload)], [...bytes])
    })
  }
}

async function acrossVersions(stage, suite, topic) {
  const [old, recent] = await suite.must('a member with frames 1.0.0 and one with 2.0.0', () =>
    Promise.all([
      member(stage.client({ realtime: { vsn: '1.0.0' } }), `${topic}-mixed`),
      member(stage.client({ realtime: { vsn: '2.0.0' } }), `${topic}-mixed`),
    ]),
  )
  await suite.check('from 1.0.0 to 2.0.0', async () => {
    await send(old, 'up', { n: 1 })
    includes('message', await recent.last('up'), { type: 'broadcast', event: 'up', payload: { n: 1 } })
  })
  await suite.check('from 2.0.0 to 1.0.0', async () => {
    await send(recent, 'down', { n: 2 })
    includes('message', await old.last('down'), { type: 'broadcast', event: 'down', payload: { n: 2 } })
  })
  await suite.check('bytes are not sent to a member with frames 1.0.0', async () => {
    await send(recent, 'bytes', new Uint8Array([1, 2, 3]).buffer)
    await send(recent, 'after')
    await old.last('after')
    equal('events', old.events(), ['down', 'after'])
  })
}
