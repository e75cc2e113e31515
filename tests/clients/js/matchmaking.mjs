// The search: join, listen, poll, a match by push and by poll, skip, leave, the queue's own rows and functions.

import { aside, joined } from './stage.mjs'
import { Inbox } from './inbox.mjs'
import { data, equal, holds, includes, matches } from './report.mjs'
import { end, ghostless, inQueue, join, leave, listen, pair, poll, polled } from './searching.mjs'

export async function matchmaking(stage, suite) {
  await search(stage, suite)
  await skip(stage, suite)
  await buddies(stage, suite)
  await queueRows(stage, suite)
  await functions(stage, suite)
}

async function search(stage, suite) {
  const [waiter, comer, stranger] = await suite.must('three people sign in', () =>
    Promise.all([stage.person(), stage.person(), stage.person()]),
  )

  const strange = new Inbox('a push to the stranger')
  await suite.must('a stranger listens to all sessions', () =>
    joined(
      stranger.client
        .channel('everything')
        .on('postgres_changes', { event: '*', schema: 'public', table: 'chat_sessions' }, strange.put),
      { changes: true },
    ),
  )

  await suite.must('join', () => join(stage, waiter))
  const listening = await suite.must('subscribe to matchmaking:<uid> with two INSERT bindings', () => listen(waiter))
  await suite.check('the system message names the channel', async () => {
    const told = await listening.system.first((m) => m.extension === 'postgres_changes')
    includes('system', told, {
      channel: `matchmaking:${waiter.user}`,
      status: 'ok',
      message: 'Subscribed to PostgreSQL',
    })
  })
  await suite.check('the poll finds no session yet', async () => equal('session', await poll(waiter), null))
  await suite.check('his own queue entry is to be seen, and to nobody else', async () => {
    await inQueue(waiter)
    equal('rows', data(await stranger.client.from('waiting_queue').select().eq('user_id', waiter.user)), [])
  })

  await suite.must('the second one joins', () => join(stage, comer))
  const pushed = await suite.must('a match by push', async () => {
    const { column, payload } = await listening.matches.first()
    includes('payload', payload, {
      eventType: 'INSERT',
      schema: 'public',
      table: 'chat_sessions',
      errors: null,
      old: {},
    })
    includes('new', payload.new, { [column]: waiter.user, status: 'active' })
    equal('the two', [payload.new.user1_id, payload.new.user2_id].sort(), [waiter.user, comer.user].sort())
    matches('started_at', payload.new.started_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/)
    matches('commit_timestamp', payload.commit_timestamp, /^\d{4}-\d\d-\d\dT.*Z$/)
    return payload.new
  })
  await suite.check('a match by poll, of both, the same one', async () => {
    for (const person of [waiter, comer]) {
      includes('session', await polled(person), { id: pushed.id, user1_id: pushed.user1_id, user2_id: pushed.user2_id })
    }
  })
  await suite.check('the poll with an order', async () => {
    const row = data(
      await comer.client
        .from('chat_sessions')
        .select('id')
        .or(`user1_id.eq.${comer.user},user2_id.eq.${comer.user}`)
        .eq('status', 'active')
        .order('started_at', { ascending: false })
        .limit(1)
        .single(),
    )
    equal('id', row.id, pushed.id)
  })
  await suite.check('the queue is empty of both', async () => {
    for (const person of [waiter, comer]) equal('rows', data(await person.client.from('waiting_queue').select()), [])
  })
  await suite.check('once matched, the channel is removed', async () => {
    equal('removeChannel', await waiter.client.removeChannel(listening.channel), 'ok')
    equal('state', (await listening.states.first((s) => s.status === 'CLOSED')).status, 'CLOSED')
  })
  await suite.check('end by PATCH', async () => {
    const answer = await end(comer, pushed.id)
    data(answer)
    equal('status', answer.status, 204)
    for (const person of [waiter, comer]) equal('active session', await poll(person), null)
    const row = data(await waiter.client.from('chat_sessions').select('status, ended_at').eq('id', pushed.id).single())
    equal('status', row.status, 'ended')
    holds('ended_at', row.ended_at, 'a time', row.ended_at)
  })
  await suite.check('the stranger saw nothing of it', async () => {
    const fence = await stage.person()
    const { id } = await pair(stage, stranger, fence)
    await strange.first((payload) => payload.new?.id === id)
    equal(
      'pushes about others',
      strange.came.filter((payload) => payload.new?.id !== id && payload.eventType !== 'DELETE'),
      [],
    )
    data(await end(fence, id))
  })
}

async function skip(stage, suite) {
  const people = await suite.must('two people to skip each other', () => Promise.all([stage.person(), stage.person()]))
  const [skipper, left] = people
  const session = await suite.must('they meet', () => pair(stage, skipper, left))

  await suite.check('skip_partner ends the session: true', async () => {
    const answer = await skipper.client.rpc('skip_partner', { p_user_id: skipper.user, p_session_id: session.id })
    equal('data', data(answer), true)
    equal('status', answer.status, 200)
    for (const person of people) equal('active session', await poll(person), null)
  })
  await suite.check('skip_partner once more: false', async () => {
    equal(
      'data',
      data(await skipper.client.rpc('skip_partner', { p_user_id: skipper.user, p_session_id: session.id })),
      false,
    )
  })
  await suite.check('after a skip one joins again, and leaves', async () => {
    await join(stage, skipper)
    await inQueue(skipper)
    await leave(stage, skipper)
    equal('rows', data(await skipper.client.from('waiting_queue').select()), [])
  })
  await suite.check('the cancel of the front end deletes the entry over REST', async () => {
    await join(stage, left)
    await inQueue(left)
    const answer = await left.client.from('waiting_queue').delete().eq('user_id', left.user)
    equal('status', (data(answer), answer.status), 204)
    await ghostless(stage, left)
    equal('rows', data(await left.client.from('waiting_queue').select()), [])
  })
}

async function buddies(stage, suite) {
  const people = await suite.must('two buddies', () => Promise.all([stage.person(), stage.person()]))
  const [asker, friend] = people

  await suite.check('a friendship is asked for and accepted', async () => {
    data(await asker.client.from('study_connections').insert({ requester_id: asker.user, receiver_id: friend.user }))
    data(await friend.client.from('study_connections').update({ status: 'accepted' }).eq('receiver_id', friend.user))
    const row = data(
      await asker.client.from('study_connections').select('status').eq('requester_id', asker.user).single(),
    )
    equal('status', row.status, 'accepted')
  })
  await suite.check('buddies meet by buddies_first', async () => {
    const { id, user1_id, user2_id } = await pair(stage, asker, friend, 'buddies_first')
    equal('the two', [user1_id, user2_id].sort(), [asker.user, friend.user].sort())
    data(await end(asker, id))
  })
}

async function queueRows(stage, suite) {
  const person = await suite.must('a person with a queue row', () => stage.person())
  const queue = () => person.client.from('waiting_queue')
  const seen = new Inbox('a push of the queue')
  const row = { user_id: person.user, match_mode: 'buddies_first', preferences: { topic: 'maths', levels: [1, 2] } }

  await suite.must('listen to all that happens to the own queue row', () =>
    joined(
      person.client
        .channel(`queue-${aside()}`)
        .on(
          'postgres_changes',
          { event: '*', schema: 'public', table: 'waiting_queue', filter: `user_id=eq.${person.user}` },
          seen.put,
        ),
      { changes: true },
    ),
  )

  const made = await suite.must('upsert(onConflict: user_id).select() makes it', async () => {
    const [inserted] = data(await queue().upsert(row, { onConflict: 'user_id' }).select())
    includes('row', inserted, row)
    return inserted
  })
  await suite.check('contains and containedBy of jsonb', async () => {
    const ask = () => person.client.from('waiting_queue').select('user_id').eq('user_id', person.user)
    equal('contains', data(await ask().contains('preferences', { topic: 'maths' })).length, 1)
    equal('contains something else', data(await ask().contains('preferences', { topic: 'physics' })).length, 0)
    equal(
      'containedBy',
      data(await ask().containedBy('preferences', { topic: 'maths', levels: [1, 2, 3], more: 1 })).length,
      1,
    )
  })
  await suite.check('INSERT by push: nested JSON, times', async () => {
    const { new: record } = await seen.first((p) => p.eventType === 'INSERT')
    includes('record', record, { id: made.id, ...row })
    equal('joined_at', Date.parse(record.joined_at), Date.parse(made.joined_at))
  })
  await suite.check('upsert(onConflict: user_id) changes it', async () => {
    data(await queue().upsert({ ...row, match_mode: 'global' }, { onConflict: 'user_id' }))
    const again = data(await queue().select('id, match_mode').eq('user_id', person.user).single())
    equal('row', again, { id: made.id, match_mode: 'global' })
  })
  await suite.check('UPDATE by push: the new row, and the key of the old', async () => {
    const update = await seen.first((p) => p.eventType === 'UPDATE')
    includes('new', update.new, { id: made.id, match_mode: 'global' })
    includes('old', update.old, { id: made.id }) // the whole row, where its replica identity is full
  })
  await suite.check('delete removes it', async () => {
    equal('status', (await queue().delete().eq('user_id', person.user)).status, 204)
    equal('rows', data(await queue().select()), [])
  })
}

async function functions(stage, suite) {
  const [first, second] = await suite.must('two people for the functions', () =>
    Promise.all([stage.person(), stage.person()]),
  )

  await suite.check("rpc find_match without a partner: match_found false, 'Queued'", async () => {
    const answer = await first.client.rpc('find_match', { p_user_id: first.user, p_match_mode: 'global' })
    equal('rows', data(answer), [{ match_found: false, session_id: null, partner_id: null, message: 'Queued' }])
    equal('status', answer.status, 200)
  })
  await suite.check("rpc find_match with a partner: match_found true, 'Match found'", async () => {
    const [row] = data(await second.client.rpc('find_match', { p_user_id: second.user }))
    includes('row', row, { match_found: true, partner_id: first.user, message: 'Match found' })
    equal('poll', (await polled(first)).id, row.session_id)
    data(await end(first, row.session_id))
  })
  await suite.check('rpc(...).single()', async () => {
    const row = data(await first.client.rpc('find_match', { p_user_id: first.user, p_match_mode: 'global' }).single())
    includes('row', row, { match_found: false, message: 'Queued' })
    await leave(stage, first)
  })
  await suite.check('rpc cleanup_matchmaking: 204 and no data', async () => {
    const answer = await first.client.rpc('cleanup_matchmaking')
    data(answer)
    includes('answer', answer, { status: 204, data: null })
  })
  await suite.check('rpc skip_partner of a session that is not there: false', async () => {
    const answer = await first.client.rpc('skip_partner', { p_user_id: first.user, p_session_id: first.user })
    equal('data', data(answer), false)
  })
}
