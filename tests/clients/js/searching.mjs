// What the application's front end does around a match: join, listen, poll, talk, end.

import { Inbox, until } from './inbox.mjs'
import { data, equal } from './report.mjs'
import { joined } from './stage.mjs'

/** Joins the queue over the application's own API. */
export async function join(stage, person, matchMode = 'global') {
  const answer = await stage.api('POST', '/matching/join', { token: person.token, body: { matchMode } })
  equal('status of the join', answer.status, 200)
  equal('message of the join', answer.body.message, 'Joined queue successfully')
  return answer.body
}

/** Leaves the queue. */
export async function leave(stage, person) {
  const answer = await stage.api('POST', '/matching/leave', { token: person.token })
  equal('status of the leave', answer.status, 200)
  await ghostless(stage, person)
}

/**
 * Makes sure that an entry that was removed stays so: in the documented engine the search that a join has started, and
 * that nobody awaits, may put it there again. Nobody later shall meet this ghost.
 */
export async function ghostless(stage, person) {
  if (stage.engine !== 'documented') return
  let absent = 0
  await until(5_000, 'an empty queue', async () => {
    const rows = data(await person.client.from('waiting_queue').delete().eq('user_id', person.user).select('id'))
    absent = rows.length ? 0 : absent + 1
    return absent === 3
  })
}

/** The channel `matchmaking:<uid>` with both INSERT bindings; `matches` gets what comes by either. */
export async function listen(person) {
  const matches = new Inbox('a push of the match')
  const channel = person.client.channel(`matchmaking:${person.user}`)
  for (const column of ['user1_id', 'user2_id']) {
    const wanted = { event: 'INSERT', schema: 'public', table: 'chat_sessions', filter: `${column}=eq.${person.user}` }
    channel.on('postgres_changes', wanted, (payload) => matches.put({ column, payload }))
  }
  const subscription = await joined(channel, { changes: true })
  return { channel, matches, ...subscription }
}

/** The poll of the front end: the caller's active session, or null. */
export async function poll(person) {
  return data(
    await person.client
      .from('chat_sessions')
      .select('id, user1_id, user2_id')
      .or(`user1_id.eq.${person.user},user2_id.eq.${person.user}`)
      .eq('status', 'active')
      .limit(1)
      .maybeSingle(),
  )
}

/** Polls until there is a session. */
export function polled(person, ms = 10_000) {
  return until(ms, 'an active session by poll', () => poll(person), 200)
}

/**
 * Two people in one session, found by poll. The documented engine may leave both waiting when their searches meet
 * ("System busy", and no retry): there the second one presses the button again, as a person would.
 */
export async function pair(stage, first, second, matchMode = 'global') {
  await join(stage, first, matchMode)
  await inQueue(first)
  for (let tries = stage.engine === 'documented' ? 5 : 1; tries > 0; tries -= 1) {
    await join(stage, second, matchMode)
    const session = await polled(second, tries > 1 ? 1_500 : 10_000).catch((error) =>
      tries > 1 ? null : Promise.reject(error),
    )
    if (!session) continue
    for (const person of [first, second]) await ghostless(stage, person)
    return session
  }
}

/** Waits until the person's own queue entry stands: an engine may set it after it has answered the join. */
export function inQueue(person) {
  return until(
    5_000,
    'a queue entry of his own',
    async () =>
      data(await person.client.from('waiting_queue').select('user_id').eq('user_id', person.user)).length === 1,
  )
}

/** The channel `session:<id>`: messages of the session, and its end. */
export async function attend(person, session) {
  const messages = new Inbox('a message of the session')
  const updates = new Inbox('an update of the session')
  const channel = person.client
    .channel(`session:${session}`)
    .on(
      'postgres_changes',
      { event: 'INSERT', schema: 'public', table: 'messages', filter: `session_id=eq.${session}` },
      messages.put,
    )
    .on(
      'postgres_changes',
      { event: 'UPDATE', schema: 'public', table: 'chat_sessions', filter: `id=eq.${session}` },
      updates.put,
    )
  await joined(channel, { changes: true })
  return { channel, messages, updates }
}

/** Sends a signal as the front end does: a row of messages, its content JSON. */
export async function signal(person, session, content) {
  data(
    await person.client.from('messages').insert({
      session_id: session,
      sender_id: person.user,
      type: 'text',
      content: JSON.stringify(content),
    }),
  )
}

/** Ends a session as the front end does. */
export async function end(person, session) {
  return person.client
    .from('chat_sessions')
    .update({ status: 'ended', ended_at: new Date().toISOString() })
    .eq('id', session)
}
