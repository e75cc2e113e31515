// Database changes by Realtime: every filter, events, several bindings, deletions, and the errors of a subscription.

import { Inbox } from './inbox.mjs'
import { data, equal, holds, includes, matches } from './report.mjs'
import { end, pair } from './searching.mjs'
import { aside, joined, subscribe } from './stage.mjs'

/** What is inserted, in this order; the last one says that all have come. */
const CONTENTS = ['alpha', 'beta', 'Alphabet', null, 'say "x,y" (z)', 'end']

/** A filter, and which of CONTENTS it lets pass, whether the database compares texts by bytes or by a language. */
const FILTERS = {
  'content=eq.alpha': ['alpha'],
  'content=neq.alpha': ['beta', 'Alphabet', 'say "x,y" (z)', 'end'],
  'content=lt.b': ['alpha', 'Alphabet'],
  'content=lte.beta': ['alpha', 'beta', 'Alphabet'],
  'content=gt.beta': ['say "x,y" (z)', 'end'],
  'content=gte.beta': ['beta', 'say "x,y" (z)', 'end'],
  'content=in.(alpha,end)': ['alpha', 'end'],
  'content=like.alph%': ['alpha'],
  'content=ilike.alph%': ['alpha', 'Alphabet'],
  'content=is.null': [null],
  'content=match.^[a-z]+a$': ['alpha', 'beta'],
  'content=imatch.^ALPHA': ['alpha', 'Alphabet'],
  'content=isdistinct.alpha': ['beta', 'Alphabet', null, 'say "x,y" (z)', 'end'],
  'content=not.eq.alpha': ['beta', 'Alphabet', 'say "x,y" (z)', 'end'],
  'content=not.in.(alpha,beta)': ['Alphabet', 'say "x,y" (z)', 'end'],
  'content=not.is.null': ['alpha', 'beta', 'Alphabet', 'say "x,y" (z)', 'end'],
  'content=gt.az,content=lt.c': ['beta'],
  'is_flagged=eq.false': CONTENTS,
  'created_at=gt.2000-01-01T00:00:00Z': CONTENTS,
  'created_at=lt.2000-01-01': [],
}

export async function changes(stage, suite) {
  const [one, two] = await suite.must('two people', () => Promise.all([stage.person(), stage.person()]))
  const { id } = await suite.must('a session', () => pair(stage, one, two))
  await bindings(suite, one, two, id)
  await deletions(stage, suite)
  await refusals(suite, one)
  await filtered(suite, one, two, id)
  data(await end(one, id))
}

async function filtered(suite, one, two, id) {
  const passed = new Map(Object.keys(FILTERS).map((filter) => [filter, []]))
  const all = new Inbox('an inserted message')
  let channel = two.client.channel(`filters-${aside()}`)
  for (const [filter, contents] of passed) {
    const binding = { event: 'INSERT', schema: 'public', table: 'messages', filter }
    channel = channel.on('postgres_changes', binding, (payload) => contents.push(payload.new.content))
  }
  channel.on('postgres_changes', { event: '*', schema: 'public', table: 'messages' }, all.put)
  await suite.must('a channel with a binding for each filter', () => joined(channel, { changes: true }))
  await suite.must('messages for them', async () => {
    for (const content of CONTENTS) {
      data(await one.client.from('messages').insert({ session_id: id, sender_id: one.user, content }))
    }
    await all.first((payload) => payload.new.content === 'end')
    equal(
      'without a filter',
      all.came.map((payload) => payload.new.content),
      CONTENTS,
    )
  })
  for (const [filter, wanted] of Object.entries(FILTERS)) {
    await suite.check(`filter ${filter}`, async () => equal('contents', passed.get(filter), wanted))
  }
  await two.client.removeChannel(channel)
}

async function bindings(suite, one, two, id) {
  const post = async (content) =>
    data(await one.client.from('messages').insert({ session_id: id, sender_id: one.user, content }))

  await suite.check('a binding without a table takes all tables of the schema', async () => {
    const seen = new Inbox('a change')
    await joined(
      two.client.channel(`schema-${aside()}`).on('postgres_changes', { event: '*', schema: 'public' }, seen.put),
      { changes: true },
    )
    await post('anywhere')
    includes('change', await seen.first((p) => p.new.content === 'anywhere'), {
      table: 'messages',
      eventType: 'INSERT',
    })
  })
  await suite.check('a binding for UPDATE does not hear INSERT', async () => {
    const [updates, inserts] = [new Inbox('an update'), new Inbox('an insert')]
    await joined(
      two.client
        .channel(`events-${aside()}`)
        .on('postgres_changes', { event: 'UPDATE', schema: 'public', table: 'messages' }, updates.put)
        .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'messages' }, inserts.put),
      { changes: true },
    )
    await post('an insert')
    await inserts.first()
    equal('updates', updates.came, [])
  })
  await suite.check('two channels of one socket both hear', async () => {
    const [first, second] = [new Inbox('a message'), new Inbox('a message')]
    for (const inbox of [first, second]) {
      await joined(
        two.client
          .channel(`twice-${aside()}`)
          .on(
            'postgres_changes',
            { event: 'INSERT', schema: 'public', table: 'messages', filter: `session_id=eq.${id}` },
            inbox.put,
          ),
        { changes: true },
      )
    }
    await post('to both')
    for (const inbox of [first, second]) equal('content', (await inbox.first()).new.content, 'to both')
  })
  await suite.check('the values of each type', async () => {
    const seen = new Inbox('a message')
    await joined(
      two.client
        .channel(`types-${aside()}`)
        .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'messages' }, seen.put),
      { changes: true },
    )
    await post('text with "quotes", ünïcode \u{1F600} and\nlines')
    const { new: row, commit_timestamp: committed } = await seen.first()
    includes('row', row, {
      content: 'text with "quotes", ünïcode \u{1F600} and\nlines',
      is_flagged: false,
      file_url: null,
    })
    matches('created_at', row.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00$/)
    holds('commit_timestamp', Math.abs(Date.parse(committed) - Date.now()) < 60_000, 'about now', committed)
  })
}

async function deletions(stage, suite) {
  const [owner, stranger] = await suite.must('an owner of a queue row and a stranger', () =>
    Promise.all([stage.person(), stage.person()]),
  )
  const listen = async (person) => {
    const seen = new Inbox('a change of the queue')
    await joined(
      person.client
        .channel(`deletions-${aside()}`)
        .on('postgres_changes', { event: '*', schema: 'public', table: 'waiting_queue' }, seen.put),
      { changes: true },
    )
    return seen
  }
  await suite.check('DELETE goes to everybody, with the key alone; INSERT to the owner only', async () => {
    const [mine, theirs] = [await listen(owner), await listen(stranger)]
    const row = data(await owner.client.from('waiting_queue').insert({ user_id: owner.user }).select().single())
    data(await owner.client.from('waiting_queue').delete().eq('user_id', owner.user))
    for (const seen of [mine, theirs]) {
      const gone = await seen.first((p) => p.eventType === 'DELETE' && p.old.id === row.id)
      equal('old', gone.old, { id: row.id })
      equal('new', gone.new, {})
    }
    equal(
      'inserts that the stranger saw',
      theirs.came.filter((p) => p.eventType === 'INSERT'),
      [],
    )
  })
}

async function refusals(suite, person) {
  const CASES = {
    'a filter without an operator': [
      { table: 'messages', filter: 'undefined' },
      /^Error parsing `filter` params: \["undefined"\]$/,
    ],
    'an unknown operator': [
      { table: 'messages', filter: 'content=foo.hey' },
      /^Error parsing `filter` params: \["foo", "hey"\]$/,
    ],
    'an unknown table': [
      { table: 'nothing' },
      /^Unable to subscribe to changes with given parameters\. Please check Realtime is enabled for the given connect parameters: \[event: INSERT, schema: public, table: nothing, filters: .*\]$/,
    ],
    'a table that is not published': [
      { table: 'profiles' },
      /^Unable to subscribe to changes with given parameters\. Please check Realtime is enabled/,
    ],
    'an unknown column': [
      { table: 'messages', filter: 'nope=eq.1' },
      /^Unable to subscribe to changes with given parameters\. An exception happened so please check your connect parameters: \[.*\]\. Exception: .*invalid column for filter nope/,
    ],
    'a value of another type': [
      { table: 'messages', filter: 'session_id=eq.undefined' },
      /^Unable to subscribe to changes with given parameters\. An exception happened.*invalid input syntax for type uuid: "undefined"/,
    ],
  }
  for (const [name, [binding, message]] of Object.entries(CASES)) {
    await suite.check(`${name}: SUBSCRIBED, then a system message with status error`, async () => {
      const channel = person.client
        .channel(`refused-${aside()}`)
        .on('postgres_changes', { event: 'INSERT', schema: 'public', ...binding }, () => {})
      const { states, system } = subscribe(channel)
      equal('status', (await states.first()).status, 'SUBSCRIBED')
      const told = await system.first((m) => m.status === 'error', 12_000)
      equal('extension', told.extension, 'postgres_changes')
      matches('message', told.message, message)
    })
  }
}
