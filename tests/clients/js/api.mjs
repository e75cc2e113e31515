// The application's own API: who may call, by token or by cookie, what it answers, and its limits.

import { createHmac } from 'node:crypto'
import { data, equal, holds, matches } from './report.mjs'
import { inQueue, leave } from './searching.mjs'

export async function applicationApi(stage, suite) {
  const person = await suite.must('a person', () => stage.person())

  await suite.check('join without a caller: 401', async () => {
    const answer = await stage.api('POST', '/matching/join', { body: { matchMode: 'global' } })
    equal('answer', [answer.status, answer.body], [401, { error: 'Unauthorized' }])
  })
  await suite.check('join with the anonymous key: 401', async () => {
    const answer = await stage.api('POST', '/matching/join', { token: stage.anonKey })
    equal('answer', [answer.status, answer.body], [401, { error: 'Unauthorized' }])
  })
  await suite.check('join without a body: buddies_first', async () => {
    const answer = await stage.api('POST', '/matching/join', { token: person.token })
    equal('answer', [answer.status, answer.body], [200, { message: 'Joined queue successfully' }])
    await inQueue(person)
    const row = data(await person.client.from('waiting_queue').select('match_mode').single())
    equal('match_mode', row.match_mode, 'buddies_first')
  })
  await suite.check('leave', async () => {
    const answer = await stage.api('POST', '/matching/leave', { token: person.token })
    equal('status', answer.status, 200)
    equal('rows', data(await person.client.from('waiting_queue').select()), [])
  })
  await suite.check('leave without a caller: 401', async () => {
    equal('status', (await stage.api('POST', '/matching/leave')).status, 401)
  })
  await suite.check('join with the session cookie of the web application', async () => {
    const { session } = data(await person.client.auth.getSession())
    const answer = await stage.api('POST', '/matching/join', {
      cookie: stage.cookies(session),
      body: { matchMode: 'global' },
    })
    equal('answer', [answer.status, answer.body], [200, { message: 'Joined queue successfully' }])
    await leave(stage, person)
  })
  await suite.check('join with a session cookie in several parts', async () => {
    const { session } = data(await person.client.auth.getSession())
    const long = { ...session, user: { ...session.user, user_metadata: { note: 'x'.repeat(6000) } } }
    matches('cookies', stage.cookies(long), /\.0=.*\.1=.*\.2=/s)
    const answer = await stage.api('POST', '/matching/join', {
      cookie: stage.cookies(long),
      body: { matchMode: 'global' },
    })
    equal('status', answer.status, 200)
    await leave(stage, person)
  })
  if (stage.turnSecret) await turn(stage, suite, person)
  if (stage.engine === 'hardened') {
    await suite.check('the eleventh join within a minute: 429 with Retry-After', async () => {
      const busy = await stage.person()
      const answers = []
      for (let i = 0; i < 11; i += 1)
        answers.push(await stage.api('POST', '/matching/join', { token: busy.token, body: { matchMode: 'global' } }))
      await leave(stage, busy)
      equal(
        'statuses',
        answers.map((a) => a.status),
        [...Array(10).fill(200), 429],
      )
      equal('body', answers[10].body, { error: 'Too many attempts. Please wait.' })
      matches('Retry-After', answers[10].headers.get('retry-after'), /^[1-9]\d*$/)
    })
  }
}

async function turn(stage, suite, person) {
  await suite.check('credentials for TURN without a caller: 401', async () => {
    equal('status', (await stage.api('GET', '/turn/credentials')).status, 401)
  })
  await suite.check('credentials for TURN: time-limited, signed with the shared secret', async () => {
    const { status, body } = await stage.api('GET', '/turn/credentials', { token: person.token })
    equal('status', status, 200)
    equal('members', Object.keys(body).sort(), ['password', 'ttl', 'uris', 'username'])
    const expiry = Number(body.username.split(':')[0])
    holds(
      'username',
      Math.abs(expiry - Date.now() / 1000 - body.ttl) < 60,
      'the time one ttl ahead, then a colon',
      body.username,
    )
    holds(
      'uris',
      body.uris.length > 0 && body.uris.every((uri) => /^turns?:/.test(uri)),
      'addresses of TURN',
      body.uris,
    )
    equal('password', body.password, createHmac('sha1', stage.turnSecret).update(body.username).digest('base64'))
  })
}
