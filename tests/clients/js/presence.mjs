// Presence: who is there, told to everybody: track, change, untrack, and a socket that goes away.

import { Inbox } from './inbox.mjs'
import { equal, holds, includes } from './report.mjs'
import { aside, joined } from './stage.mjs'

/** A subscribed channel that keeps what presence tells; without a key the server gives one. */
async function member(client, topic, key) {
  const [syncs, joins, leaves] = ['sync', 'join', 'leave'].map((event) => new Inbox(`a presence ${event}`))
  const channel = client
    .channel(topic, key ? { config: { presence: { key } } } : undefined)
    .on('presence', { event: 'sync' }, () => syncs.put(channel.presenceState()))
    .on('presence', { event: 'join' }, joins.put)
    .on('presence', { event: 'leave' }, leaves.put)
  await joined(channel)
  return { client, channel, syncs, joins, leaves }
}

const keys = (member) => Object.keys(member.channel.presenceState()).sort()

export async function presence(stage, suite) {
  const topic = `present-${aside()}`
  const [ada, bob] = await suite.must('two members with keys of their own', async () => [
    await member(stage.client(), topic, 'ada'),
    await member(stage.client(), topic, 'bob'),
  ])

  await suite.check('the state comes at once, empty', async () => {
    await ada.syncs.first()
    equal('state', ada.syncs.came[0], {})
  })
  await suite.check('track: ok, and everybody is told', async () => {
    equal('track', await ada.channel.track({ mood: 'glad', at: 1 }), 'ok')
    for (const other of [ada, bob]) {
      const told = await other.joins.first((join) => join.key === 'ada')
      includes('newPresences[0]', told.newPresences[0], { mood: 'glad', at: 1 })
      holds('presence_ref', told.newPresences[0].presence_ref, 'a reference', told)
    }
    includes('state', bob.channel.presenceState().ada[0], { mood: 'glad' })
  })
  await suite.check('a late comer is told who is there', async () => {
    equal('track', await bob.channel.track({ mood: 'calm' }), 'ok')
    const late = await member(stage.client(), topic, 'eve')
    await late.syncs.first((state) => state.ada && state.bob)
    includes('ada', late.channel.presenceState().ada[0], { mood: 'glad' })
    await late.client.removeChannel(late.channel)
  })
  await suite.check('untrack: the others see him leave', async () => {
    equal('untrack', await ada.channel.untrack(), 'ok')
    const left = await bob.leaves.first((leave) => leave.key === 'ada')
    equal('current', left.currentPresences, [])
    equal('keys', keys(bob), ['bob'])
  })
  await suite.check('a socket that closes takes its member with it', async () => {
    bob.client.realtime.disconnect()
    await ada.leaves.first((leave) => leave.key === 'bob')
    equal('keys', keys(ada), [])
  })
  await several(stage, suite)
  await suite.check('without a key the server gives one', async () => {
    const other = await member(stage.client(), `${topic}-keyless`)
    equal('track', await other.channel.track({ n: 1 }), 'ok')
    const [key] = [(await other.joins.first()).key]
    holds('key', /^[0-9a-f-]{36}$/.test(key), 'a UUID', key)
  })
  await suite.check('a channel that listens to no presence may still track', async () => {
    const watcher = await member(stage.client(), `${topic}-quiet`, 'watcher')
    const silent = stage.client().channel(`${topic}-quiet`, { config: { presence: { key: 'silent', enabled: true } } })
    await joined(silent)
    equal('track', await silent.track({ n: 2 }), 'ok')
    includes('newPresences[0]', (await watcher.joins.first((join) => join.key === 'silent')).newPresences[0], { n: 2 })
  })
}

/**
 * Several presences of one key, one after the other or side by side. Version 2.109.0 forgets the references of those
 * that it has shown (it takes them out of its own state), and so never sees them leave it: there the events must do.
 */
async function several(stage, suite) {
  const topic = `several-${aside()}`
  const [ada, bob] = await suite.must('two members for several presences', async () => [
    await member(stage.client(), topic, 'ada'),
    await member(stage.client(), topic, 'bob'),
  ])
  const moods = () => (stage.version === '2.109.0' ? ['tired'] : bob.channel.presenceState().ada.map((one) => one.mood))
  const has = (mood, part) => (told) => told.key === 'ada' && told[part].some((one) => one.mood === mood)

  await suite.check('track again replaces what is told: a join and a leave', async () => {
    equal('track', await ada.channel.track({ mood: 'glad' }), 'ok')
    await bob.joins.first(has('glad', 'newPresences'))
    equal('track', await ada.channel.track({ mood: 'tired' }), 'ok')
    await bob.joins.first(has('tired', 'newPresences'))
    await bob.leaves.first(has('glad', 'leftPresences'))
    equal('moods', moods(), ['tired'])
  })
  await suite.check('two members of one key stand side by side', async () => {
    const twin = await member(stage.client(), topic, 'ada')
    equal('track', await twin.channel.track({ mood: 'second' }), 'ok')
    const { currentPresences } = await bob.joins.first(has('second', 'newPresences'))
    holds(
      'current',
      currentPresences.some((one) => one.mood === 'tired'),
      'the first one',
      currentPresences,
    )
    await twin.client.removeChannel(twin.channel)
    await bob.leaves.first(has('second', 'leftPresences'))
    equal('moods', moods(), ['tired'])
  })
}
