// Rows over REST: every form of insert, upsert, update, delete and select that the client can ask for.

import { aside } from './stage.mjs'
import { data, equal, failure, holds, includes, matches } from './report.mjs'

const NAMES = ['Ada', 'Alan', 'Barbara', 'Claude', 'Donald_K']
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/

export async function rest(stage, suite) {
  const people = await suite.must('people with profiles', async () => {
    const made = []
    for (let i = 0; i < 6; i += 1) made.push(await stage.person())
    return made
  })
  await profiles(suite, people)
  await selects(suite, people)
  await filters(suite, people)
  await counts(suite, people)
  await connections(suite, people)
  await hidden(suite, people)
}

async function profiles(suite, people) {
  const rows = people.map((person, i) => ({ id: person.user, display_name: NAMES[i] ?? null }))
  const [{ client }] = people

  await suite.check('insert(row): 201 and no data', async () => {
    const answer = await client.from('profiles').insert(rows[0])
    data(answer)
    includes('answer', answer, { status: 201, data: null })
  })

  await suite.check('insert([row]).select(): 201 with the rows', async () => {
    const answer = await people[1].client.from('profiles').insert([rows[1]]).select()
    const [row] = data(answer)
    equal('status', answer.status, 201)
    includes('row', row, rows[1])
    matches('created_at', row.created_at, TIMESTAMP)
  })

  await suite.check('insert(row).select(columns).single(): 201 with one object', async () => {
    const answer = await people[2].client.from('profiles').insert(rows[2]).select('id, display_name').single()
    equal('data', data(answer), rows[2])
    equal('status', answer.status, 201)
  })

  await suite.check('insert([row], {defaultToNull: false}): missing columns take their defaults', async () => {
    const row = data(
      await people[3].client.from('profiles').insert([rows[3]], { defaultToNull: false }).select().single(),
    )
    matches('created_at', row.created_at, TIMESTAMP)
  })

  await suite.check('upsert(row) inserts what is not there', async () => {
    const answer = await people[4].client.from('profiles').upsert(rows[4])
    equal('status', (data(answer), answer.status), 201)
    equal('status', (data(await people[5].client.from('profiles').upsert(rows[5])), 0), 0)
  })

  await suite.check('upsert(row).select() changes what is there: 200', async () => {
    const answer = await people[4].client
      .from('profiles')
      .upsert({ ...rows[4], display_name: 'other' })
      .select()
    equal(
      'names',
      data(answer).map((row) => row.display_name),
      ['other'],
    )
    equal('status', answer.status, 200)
  })

  await suite.check('upsert(row, {onConflict}).select().single()', async () => {
    const row = data(await people[4].client.from('profiles').upsert(rows[4], { onConflict: 'id' }).select().single())
    includes('row', row, rows[4])
  })

  await suite.check('upsert(row, {ignoreDuplicates}) leaves what is there', async () => {
    const answer = await people[4].client
      .from('profiles')
      .upsert({ ...rows[4], display_name: 'other' }, { onConflict: 'id', ignoreDuplicates: true })
      .select()
    equal('data', data(answer), [])
    equal('name', data(await client.from('profiles').select('display_name').eq('id', rows[4].id).single()), {
      display_name: NAMES[4],
    })
  })

  await suite.check('update().eq(): 204 and no data', async () => {
    const answer = await client.from('profiles').update({ display_name: 'Ada L.' }).eq('id', rows[0].id)
    data(answer)
    includes('answer', answer, { status: 204, data: null })
  })

  await suite.check('update().eq().select(): 200 with the rows', async () => {
    const answer = await client
      .from('profiles')
      .update({ display_name: 'Ada' })
      .eq('id', rows[0].id)
      .select('display_name')
    equal('data', data(answer), [{ display_name: 'Ada' }])
    equal('status', answer.status, 200)
  })

  await suite.check('update().select() that meets no row: 200 with []', async () => {
    const answer = await client
      .from('profiles')
      .update({ display_name: 'x' })
      .eq('display_name', `none-${aside()}`)
      .select()
    equal('data', data(answer), [])
    equal('status', answer.status, 200)
  })
}

async function selects(suite, people) {
  const ids = people.map((person) => person.user)
  const ours = (columns, options) => people[0].client.from('profiles').select(columns, options).in('id', ids)

  await suite.check('select(): all columns', async () => {
    const rows = data(await ours())
    equal('count', rows.length, 6)
    equal('columns', Object.keys(rows[0]).sort(), ['created_at', 'display_name', 'id'])
  })
  await suite.check('select with renamed columns', async () => {
    const rows = data(await ours('who:id, name:display_name').eq('id', ids[0]))
    equal('rows', rows, [{ who: ids[0], name: 'Ada' }])
  })
  await suite.check('order ascending, nulls last by default', async () => {
    const rows = data(await ours('display_name').order('display_name'))
    equal(
      'names',
      rows.map((row) => row.display_name),
      [...NAMES, null],
    )
  })
  await suite.check('order descending, nulls first by default', async () => {
    const rows = data(await ours('display_name').order('display_name', { ascending: false }))
    equal(
      'names',
      rows.map((row) => row.display_name),
      [null, ...[...NAMES].reverse()],
    )
  })
  await suite.check('order descending with nullsFirst: false, then by a second column', async () => {
    const rows = data(
      await ours('display_name').order('display_name', { ascending: false, nullsFirst: false }).order('id'),
    )
    equal(
      'names',
      rows.map((row) => row.display_name),
      [...[...NAMES].reverse(), null],
    )
  })
  await suite.check('order and limit', async () => {
    equal('names', data(await ours('display_name').order('display_name').limit(2)), [
      { display_name: 'Ada' },
      { display_name: 'Alan' },
    ])
  })
  await suite.check('range', async () => {
    equal('names', data(await ours('display_name').order('display_name').range(1, 2)), [
      { display_name: 'Alan' },
      { display_name: 'Barbara' },
    ])
  })
  await suite.check('single() with one row: an object', async () => {
    equal('data', data(await ours('display_name').eq('id', ids[1]).single()), { display_name: 'Alan' })
  })
  await suite.check('limit(1).single(): an object', async () => {
    equal('data', data(await ours('display_name').order('display_name').limit(1).single()), { display_name: 'Ada' })
  })
  await suite.check('single() with no row: PGRST116', async () => {
    const answer = await ours().eq('display_name', 'nobody').single()
    const error = failure(answer, { code: 'PGRST116' })
    equal('status', answer.status, 406)
    matches('details', error.details, /0 rows/)
  })
  await suite.check('single() with several rows: PGRST116', async () => {
    const answer = await ours().single()
    const error = failure(answer, { code: 'PGRST116' })
    equal('status', answer.status, 406)
    matches('details', error.details, /6 rows/)
  })
  await suite.check('maybeSingle() with one row', async () => {
    equal('data', data(await ours('display_name').eq('id', ids[2]).limit(1).maybeSingle()), { display_name: 'Barbara' })
  })
  await suite.check('maybeSingle() with no row: null', async () => {
    equal('data', data(await ours().eq('display_name', 'nobody').maybeSingle()), null)
  })
  await suite.check('maybeSingle() with several rows: PGRST116', async () => {
    failure(await ours().maybeSingle(), { code: 'PGRST116' })
  })
  await suite.check('a select that meets nothing: 200 with []', async () => {
    const answer = await ours().eq('display_name', 'nobody')
    equal('data', data(answer), [])
    equal('status', answer.status, 200)
  })
}

async function filters(suite, people) {
  const ids = people.map((person) => person.user)
  const { client } = people[0]
  const [A, B, C, D, E] = NAMES
  const CASES = {
    eq: [(q) => q.eq('display_name', A), [A]],
    'neq (never null)': [(q) => q.neq('display_name', A), [B, C, D, E]],
    gt: [(q) => q.gt('display_name', B), [C, D, E]],
    gte: [(q) => q.gte('display_name', B), [B, C, D, E]],
    lt: [(q) => q.lt('display_name', B), [A]],
    lte: [(q) => q.lte('display_name', B), [A, B]],
    'gte and lte of a time': [
      (q) => q.gte('created_at', '2000-01-01T00:00:00Z').lte('created_at', '2100-01-01'),
      [...NAMES, null],
    ],
    like: [(q) => q.like('display_name', 'A%'), [A, B]],
    'like of an underscore': [(q) => q.like('display_name', '%\\_K'), [E]],
    ilike: [(q) => q.ilike('display_name', 'a%'), [A, B]],
    match: [(q) => q.filter('display_name', 'match', '^A.a$'), [A]],
    imatch: [(q) => q.filter('display_name', 'imatch', '^a.a$'), [A]],
    'is null': [(q) => q.is('display_name', null), [null]],
    'not is null': [(q) => q.not('display_name', 'is', null), NAMES],
    'is not_null': [(q) => q.filter('display_name', 'is', 'not_null'), NAMES],
    isdistinct: [(q) => q.filter('display_name', 'isdistinct', A), [B, C, D, E, null]],
    in: [(q) => q.in('display_name', [A, C]), [A, C]],
    'in with a comma and quotes': [(q) => q.in('display_name', ['a,b', 'say "hi"', D]), [D]],
    'not in': [(q) => q.not('display_name', 'in', `(${A},${C})`), [B, D, E]],
    'not eq': [(q) => q.not('display_name', 'eq', A), [B, C, D, E]],
    'not like': [(q) => q.not('display_name', 'like', 'A%'), [C, D, E]],
    'match({...}) of several columns': [(q) => q.match({ id: ids[0], display_name: A }), [A]],
    or: [(q) => q.or(`display_name.eq.${A},display_name.eq.${D}`), [A, D]],
    'or with is and like': [(q) => q.or('display_name.is.null,display_name.like.B*'), [C, null]],
    'or with in': [(q) => q.or(`display_name.in.(${A},${B}),id.eq.${ids[2]}`), [A, B, C]],
    'or with not': [(q) => q.or(`display_name.not.like.*a*,display_name.eq.${C}`), [C]],
    'and within or': [
      (q) => q.or(`and(display_name.gte.${B},display_name.lt.${C}),and(display_name.eq.${D},id.eq.${ids[3]})`),
      [B, D],
    ],
    'or within and, negated': [(q) => q.or(`not.and(display_name.gte.${B},display_name.lte.${E})`), [A]],
    'two ors': [
      (q) => q.or(`display_name.eq.${A},display_name.eq.${B}`).or(`display_name.eq.${B},display_name.eq.${C}`),
      [B],
    ],
    'like(all)': [(q) => q.likeAllOf('display_name', ['%a%', 'B%']), [C]],
    'like(any)': [(q) => q.likeAnyOf('display_name', ['Al%', 'B%']), [B, C]],
    'ilike(all)': [(q) => q.ilikeAllOf('display_name', ['a%', '%N']), [B]],
    'ilike(any)': [(q) => q.ilikeAnyOf('display_name', ['ad%', 'b%']), [A, C]],
    'eq(any)': [(q) => q.filter('display_name', 'eq(any)', `{${A},${B}}`), [A, B]],
    fts: [(q) => q.textSearch('display_name', `'${A}' | '${B}'`), [A, B]],
    'plfts with a configuration': [
      (q) => q.textSearch('display_name', 'ada', { type: 'plain', config: 'english' }),
      [A],
    ],
    phfts: [(q) => q.textSearch('display_name', 'alan', { type: 'phrase' }), [B]],
    wfts: [(q) => q.textSearch('display_name', 'ada or barbara', { type: 'websearch' }), [A, C]],
  }
  for (const [name, [narrow, wanted]] of Object.entries(CASES)) {
    await suite.check(`filter ${name}`, async () => {
      const rows = data(
        await narrow(client.from('profiles').select('display_name').in('id', ids)).order('display_name'),
      )
      equal(
        'names',
        rows.map((row) => row.display_name),
        wanted,
      )
    })
  }
}

async function counts(suite, people) {
  const ids = people.map((person) => person.user)
  const ours = (options) => people[0].client.from('profiles').select('id', options).in('id', ids)

  await suite.check('count: exact of all: 200', async () => {
    const answer = await ours({ count: 'exact' })
    includes('answer', (data(answer), answer), { count: 6, status: 200 })
  })
  await suite.check('count: exact with range: 206', async () => {
    const answer = await ours({ count: 'exact' }).range(0, 1)
    equal('rows', data(answer).length, 2)
    includes('answer', answer, { count: 6, status: 206 })
  })
  await suite.check('count: exact, head: no rows', async () => {
    const answer = await ours({ count: 'exact', head: true })
    includes('answer', (data(answer), answer), { count: 6, data: null })
  })
  await suite.check('a range past the end, with count: PGRST103', async () => {
    const answer = await ours({ count: 'exact' }).range(100, 110)
    failure(answer, { code: 'PGRST103', message: 'Requested range not satisfiable' })
    equal('status', answer.status, 416)
  })
  await suite.check('a range past the end, without count: []', async () => {
    equal('data', data(await ours().range(100, 110)), [])
  })
  await suite.check('update with count: exact', async () => {
    const answer = await people[0].client
      .from('profiles')
      .update({ display_name: 'Ada' }, { count: 'exact' })
      .eq('id', ids[0])
    includes('answer', (data(answer), answer), { count: 1, status: 204 })
  })
}

async function connections(suite, people) {
  const [asker, second, third, fourth] = people
  const table = (person) => person.client.from('study_connections')
  const mine = `requester_id.eq.${asker.user},receiver_id.eq.${asker.user}`

  await suite.check('insert([rows]): several at once', async () => {
    const rows = [second, third].map((person) => ({ requester_id: asker.user, receiver_id: person.user }))
    const made = data(await table(asker).insert(rows).select('receiver_id, status'))
    equal(
      'rows',
      made,
      [second, third].map((person) => ({ receiver_id: person.user, status: 'pending' })),
    )
  })

  await suite.check('insert([rows]) with different columns: the union of their keys', async () => {
    const rows = [
      { requester_id: asker.user, receiver_id: fourth.user, status: 'pending' },
      {
        requester_id: asker.user,
        receiver_id: people[4].user,
        status: 'pending',
        created_at: '2026-01-01T21:34:05.678901+00:00',
      },
    ]
    const answer = await table(asker).insert([rows[1]]).select('created_at').single()
    equal('created_at', data(answer).created_at, '2026-01-01T21:34:05.678901+00:00')
    failure(await table(asker).insert([rows[0], { ...rows[1], receiver_id: people[5].user }]), { code: '23502' })
  })

  await suite.check('the pair in either direction, by a nested or', async () => {
    const pair = (a, b) => `and(requester_id.eq.${a.user},receiver_id.eq.${b.user})`
    const row = data(
      await table(second)
        .select('requester_id, status')
        .or(`${pair(asker, second)},${pair(second, asker)}`)
        .maybeSingle(),
    )
    equal('row', row, { requester_id: asker.user, status: 'pending' })
  })

  await suite.check('update by the receiver is seen by the requester', async () => {
    const answer = await table(second)
      .update({ status: 'accepted' })
      .eq('receiver_id', second.user)
      .eq('status', 'pending')
      .select('status')
    equal('data', data(answer), [{ status: 'accepted' }])
    equal('accepted', data(await table(asker).select('receiver_id').or(mine).eq('status', 'accepted')), [
      { receiver_id: second.user },
    ])
  })

  await suite.check('delete().eq(): 204 and no data', async () => {
    const answer = await table(asker).delete().eq('receiver_id', third.user)
    data(answer)
    includes('answer', answer, { status: 204, data: null })
    equal('left', data(await table(asker).select('id').eq('receiver_id', third.user)), [])
  })

  await suite.check('delete().select(): 200 with the rows', async () => {
    const answer = await table(asker).delete().eq('receiver_id', second.user).select('status')
    equal('data', data(answer), [{ status: 'accepted' }])
    equal('status', answer.status, 200)
  })
}

async function hidden(suite, people) {
  const [mine, other] = people
  const anonymous = other.client

  await suite.check('what row-level security hides is not selected: 200 with []', async () => {
    data(await mine.client.from('study_connections').insert({ requester_id: mine.user, receiver_id: people[1].user }))
    equal('rows', data(await people[5].client.from('study_connections').select().eq('requester_id', mine.user)), [])
  })

  await suite.check("update of another one's row: 204, nothing changed", async () => {
    const answer = await anonymous.from('profiles').update({ display_name: 'stolen' }).eq('id', mine.user)
    equal('status', (data(answer), answer.status), 204)
    equal('name', data(await mine.client.from('profiles').select('display_name').eq('id', mine.user).single()), {
      display_name: 'Ada',
    })
  })

  await suite.check("delete of another one's row: 204, nothing gone", async () => {
    const answer = await anonymous.from('profiles').delete().eq('id', mine.user)
    equal('status', (data(answer), answer.status), 204)
    holds(
      'the row',
      data(await mine.client.from('profiles').select('id').eq('id', mine.user)).length === 1,
      'still there',
      0,
    )
  })
}
