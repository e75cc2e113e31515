// The errors of REST: their codes, statuses and texts, as the client hands them over.

import { data, equal, failure, holds, matches } from './report.mjs'

const NOBODY = '00000000-0000-4000-8000-000000000000'

export async function errors(stage, suite) {
  const person = await suite.must('a person', () => stage.person())
  const { client, user } = person
  const anonymous = stage.client()

  /** Expects that error and that HTTP status. */
  const refused = (name, ask, status, wanted, also = () => {}) =>
    suite.check(name, async () => {
      const answer = await ask()
      const error = failure(answer, wanted)
      equal('status', answer.status, status)
      also(error)
    })

  await refused(
    'an unknown table: PGRST205',
    () => client.from('profile').select(),
    404,
    { code: 'PGRST205', message: "Could not find the table 'public.profile' in the schema cache" },
    (error) => equal('hint', error.hint, "Perhaps you meant the table 'public.profiles'"),
  )
  await refused('an unknown column in a filter: 42703', () => client.from('profiles').select().eq('nope', 1), 400, {
    code: '42703',
  })
  await refused('an unknown column in a select: 42703', () => client.from('profiles').select('nope'), 400, {
    code: '42703',
  })
  await refused(
    'an unknown column in an insert: PGRST204',
    () => client.from('profiles').insert({ id: user, nope: 1 }),
    400,
    { code: 'PGRST204', message: "Could not find the 'nope' column of 'profiles' in the schema cache" },
  )
  await refused(
    'an unknown column in an update: PGRST204',
    () => client.from('profiles').update({ nope: 1 }).eq('id', user),
    400,
    { code: 'PGRST204' },
  )
  await refused(
    'an unknown function: PGRST202',
    () => client.rpc('find_nothing', { a: 1 }),
    404,
    { code: 'PGRST202' },
    (error) => matches('message', error.message, /^Could not find the function public\.find_nothing/),
  )
  await refused('a known function with unknown arguments: PGRST202', () => client.rpc('find_match', { nope: 1 }), 404, {
    code: 'PGRST202',
  })
  await refused('an unknown schema: PGRST106', () => client.schema('secret').from('profiles').select(), 406, {
    code: 'PGRST106',
    message: 'Invalid schema: secret',
  })
  await refused('something that is no uuid: 22P02', () => client.from('profiles').select().eq('id', 'undefined'), 400, {
    code: '22P02',
    message: 'invalid input syntax for type uuid: "undefined"',
  })
  await refused('an unknown operator: PGRST100', () => client.from('profiles').select().filter('id', 'foo', '1'), 400, {
    code: 'PGRST100',
    message: '"failed to parse filter (foo.1)" (line 1, column 1)',
  })
  await refused('a torn boolean group: PGRST100', () => client.from('profiles').select().or('id.eq.1,('), 400, {
    code: 'PGRST100',
  })
  await refused(
    'a key that is there already: 23505',
    async () => {
      data(await client.from('profiles').upsert({ id: user }))
      return client.from('profiles').insert({ id: user })
    },
    409,
    { code: '23505', message: 'duplicate key value violates unique constraint "profiles_pkey"' },
  )
  await refused(
    'a reference to nobody: 23503',
    () => client.from('study_connections').insert({ requester_id: user, receiver_id: NOBODY }),
    409,
    { code: '23503' },
  )
  await refused(
    'a value that a check forbids: 23514',
    () => client.from('study_connections').insert({ requester_id: user, receiver_id: user }),
    400,
    { code: '23514' },
  )
  await refused(
    'a null that is not allowed: 23502',
    () => client.from('study_connections').insert({ requester_id: user }),
    400,
    { code: '23502' },
  )
  await refused("a row in another one's name: 42501, 403", () => client.from('profiles').insert({ id: NOBODY }), 403, {
    code: '42501',
    message: 'new row violates row-level security policy for table "profiles"',
  })
  await refused('a row of nobody at all: 42501, 401', () => anonymous.from('profiles').insert({ id: NOBODY }), 401, {
    code: '42501',
  })

  await suite.check('nobody at all sees nothing', async () => {
    equal('rows', data(await anonymous.from('profiles').select().limit(1)), [])
  })

  const withToken = (token) =>
    stage.library.createClient(stage.supabaseUrl, stage.anonKey, {
      global: { headers: { Authorization: `Bearer ${token}` } },
      auth: { persistSession: false, autoRefreshToken: false },
      realtime: { transport: stage.WebSocket },
    })
  const now = Math.floor(Date.now() / 1000)
  await refused('something that is no token: PGRST301', () => withToken('abc').from('profiles').select(), 401, {
    code: 'PGRST301',
    message: 'Expected 3 parts in JWT; got 1',
  })
  await refused(
    'a token signed with another key: PGRST301',
    () =>
      withToken(`${person.token.slice(0, -8)}AAAAAAAA`)
        .from('profiles')
        .select(),
    401,
    { code: 'PGRST301' },
  )
  await refused(
    'an expired token: PGRST303',
    () =>
      withToken(stage.alike(person.token, { exp: now - 3600 }))
        .from('profiles')
        .select(),
    401,
    { code: 'PGRST303', message: 'JWT expired' },
  )

  await suite.check('a wrong project key is refused at the gateway', async () => {
    const answer = await stage.client({ key: 'wrong' }).from('profiles').select()
    equal('status', answer.status, 401)
    equal('message', answer.error?.message, 'Invalid API key')
  })
  await suite.check('a body that is no JSON: PGRST102', async () => {
    const answer = await fetch(`${stage.supabaseUrl}/rest/v1/profiles`, {
      method: 'POST',
      body: '{',
      headers: { apikey: stage.anonKey, Authorization: `Bearer ${person.token}`, 'Content-Type': 'application/json' },
    })
    equal('status', answer.status, 400)
    equal('code', (await answer.json()).code, 'PGRST102')
  })
  await suite.check('the header that names the error', async () => {
    const answer = await fetch(`${stage.supabaseUrl}/rest/v1/nope`, { headers: { apikey: stage.anonKey } })
    await answer.json()
    holds(
      'Proxy-Status',
      /PGRST205/.test(answer.headers.get('proxy-status') ?? ''),
      'PostgREST; error=PGRST205',
      answer.headers.get('proxy-status'),
    )
  })
}
