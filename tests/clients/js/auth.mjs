// Accounts: sign-up, password, anonymous, refresh with rotation, user, sign-out, and the errors of each.

import { PASSWORD, aside } from './stage.mjs'
import { data, equal, failure, holds, includes, matches } from './report.mjs'

export async function auth(stage, suite) {
  const email = `clients-${aside()}-${aside()}@example.com`
  const client = stage.client()

  const signedUp = await suite.must('signUp with e-mail and password gives a session', async () => {
    const { user, session } = data(await client.auth.signUp({ email, password: PASSWORD }))
    holds('session', session?.access_token && session.refresh_token, 'a session at once', session)
    equal('token_type', session.token_type, 'bearer')
    holds('expires_in', session.expires_in > 0 && session.expires_at > Date.now() / 1000, 'a time to come', session)
    includes('user', user, { email, aud: 'authenticated', role: 'authenticated', is_anonymous: false, phone: '' })
    includes('user.app_metadata', user.app_metadata, { provider: 'email', providers: ['email'] })
    equal(
      'the identity',
      user.identities.map((i) => [i.provider, i.identity_data.email]),
      [['email', email]],
    )
    matches('created_at', user.created_at, /^\d{4}-\d\d-\d\dT/)
    return { user, session }
  })

  await suite.check('getUser asks the server for the same user', async () => {
    const { user } = data(await client.auth.getUser())
    includes('user', user, { id: signedUp.user.id, email })
  })

  await suite.check('getSession gives the session without a request', async () => {
    const { session } = data(await client.auth.getSession())
    equal('access_token', session.access_token, signedUp.session.access_token)
  })

  await suite.check('getClaims gives the listed claims', async () => {
    const { claims } = data(await client.auth.getClaims())
    includes('claims', claims, {
      sub: signedUp.user.id,
      aud: 'authenticated',
      role: 'authenticated',
      email,
      phone: '',
      aal: 'aal1',
      is_anonymous: false,
      app_metadata: { provider: 'email', providers: ['email'] },
      iss: `${stage.supabaseUrl}/auth/v1`,
    })
    equal('amr[0].method', claims.amr?.[0]?.method, 'password')
    matches('session_id', claims.session_id, /^[0-9a-f-]{36}$/)
  })

  await suite.check('the key set answers with public keys only, for ten minutes', async () => {
    const answer = await fetch(`${stage.supabaseUrl}/auth/v1/.well-known/jwks.json`)
    equal('status', answer.status, 200)
    matches('Cache-Control', answer.headers.get('cache-control'), /public.*max-age=600/)
    const { keys } = await answer.json()
    holds('keys', Array.isArray(keys) && keys.every((key) => !('d' in key) && !('k' in key)), 'public keys', keys)
  })

  await suite.check('signUp keeps the metadata that it is given', async () => {
    const other = stage.client()
    const { user } = data(
      await other.auth.signUp({
        email: `clients-${aside()}@example.com`,
        password: PASSWORD,
        options: { data: { display_name: 'Ada' } },
      }),
    )
    includes('user_metadata', user.user_metadata, { display_name: 'Ada' })
  })

  await suite.check('signUp with a taken e-mail: user_already_exists', async () => {
    failure(await stage.client().auth.signUp({ email, password: PASSWORD }), {
      code: 'user_already_exists',
      status: 422,
      message: 'User already registered',
      name: 'AuthApiError',
    })
  })

  await suite.check('signUp with a weak password: weak_password with reasons', async () => {
    const error = failure(
      await stage.client().auth.signUp({ email: `clients-${aside()}@example.com`, password: 'short' }),
      {
        code: 'weak_password',
        status: 422,
        message: 'Password should be at least 6 characters.',
        name: 'AuthWeakPasswordError',
      },
    )
    equal('reasons', error.reasons, ['length'])
  })

  await suite.check('signUp with something that is no e-mail: validation_failed', async () => {
    failure(await stage.client().auth.signUp({ email: 'nobody', password: PASSWORD }), {
      code: 'validation_failed',
      status: 400,
    })
  })

  await suite.check('signInWithPassword gives a session of the same user', async () => {
    const { user, session } = data(await stage.client().auth.signInWithPassword({ email, password: PASSWORD }))
    equal('user.id', user.id, signedUp.user.id)
    holds('the session', session.access_token !== signedUp.session.access_token, 'one of its own', session)
    matches('last_sign_in_at', user.last_sign_in_at, /^\d{4}-/)
  })

  await suite.check('signInWithPassword with a wrong password: invalid_credentials', async () => {
    failure(await stage.client().auth.signInWithPassword({ email, password: 'something else' }), {
      code: 'invalid_credentials',
      status: 400,
      message: 'Invalid login credentials',
      name: 'AuthApiError',
    })
  })

  await suite.check('signInWithPassword of nobody: invalid_credentials', async () => {
    failure(
      await stage.client().auth.signInWithPassword({ email: `clients-${aside()}@example.com`, password: PASSWORD }),
      { code: 'invalid_credentials', status: 400 },
    )
  })

  await suite.check('signInAnonymously gives an anonymous user', async () => {
    const { user, session } = data(await stage.client().auth.signInAnonymously({ options: { data: { nick: 'x' } } }))
    includes('user', user, { is_anonymous: true, role: 'authenticated', aud: 'authenticated', identities: [] })
    includes('user_metadata', user.user_metadata, { nick: 'x' })
    const claims = JSON.parse(Buffer.from(session.access_token.split('.')[1], 'base64url'))
    includes('claims', claims, { is_anonymous: true, role: 'authenticated', email: '' })
  })

  await refresh(stage, suite, email)
  await signOut(stage, suite, email)
  await refusals(stage, suite)
}

async function refresh(stage, suite, email) {
  const client = stage.client()
  const first = await suite.must(
    'a session to refresh',
    async () => data(await client.auth.signInWithPassword({ email, password: PASSWORD })).session,
  )

  await suite.check('refreshSession gives new tokens of the same session', async () => {
    const { session, user } = data(await client.auth.refreshSession())
    holds('refresh_token', session.refresh_token !== first.refresh_token, 'another one', session.refresh_token)
    const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
    equal('session_id', claims(session.access_token).session_id, claims(first.access_token).session_id)
    equal('user.id', user.id, first.user.id)
    includes('getUser', data(await client.auth.getUser()).user, { id: first.user.id })
  })

  await suite.check('a used refresh token: refresh_token_already_used, and the session is over', async () => {
    // Now the first token is no longer the parent of the active one.
    const { session } = data(await client.auth.refreshSession())
    failure(await stage.client().auth.refreshSession({ refresh_token: first.refresh_token }), {
      code: 'refresh_token_already_used',
      status: 400,
    })
    const active = await stage.client().auth.refreshSession({ refresh_token: session.refresh_token })
    equal('status of the active token', active.error?.status, 400)
  })

  await suite.check('an unknown refresh token: refresh_token_not_found', async () => {
    failure(await stage.client().auth.refreshSession({ refresh_token: 'abcdefghijkl' }), {
      code: 'refresh_token_not_found',
      status: 400,
      message: 'Invalid Refresh Token: Refresh Token Not Found',
    })
  })

  await suite.check('setSession takes a session over to another client', async () => {
    const source = stage.client()
    const { session } = data(await source.auth.signInWithPassword({ email, password: PASSWORD }))
    const other = stage.client()
    const taken = data(await other.auth.setSession(session))
    equal('user.id', taken.user.id, session.user.id)
  })

  await suite.check('setSession with an expired access token refreshes it', async () => {
    const source = stage.client()
    const { session } = data(await source.auth.signInWithPassword({ email, password: PASSWORD }))
    const now = Math.floor(Date.now() / 1000)
    const expired = stage.alike(session.access_token, { iat: now - 7200, exp: now - 3600 })
    const other = stage.client()
    const taken = data(await other.auth.setSession({ access_token: expired, refresh_token: session.refresh_token }))
    holds('refresh_token', taken.session.refresh_token !== session.refresh_token, 'another one', taken.session)
  })
}

async function signOut(stage, suite, email) {
  const signIn = async () => {
    const client = stage.client()
    return { client, session: data(await client.auth.signInWithPassword({ email, password: PASSWORD })).session }
  }
  const gone = async (session, what) => {
    failure(await stage.client().auth.getUser(session.access_token), { name: 'AuthSessionMissingError', status: 400 })
    const again = await stage.client().auth.refreshSession({ refresh_token: session.refresh_token })
    holds(`the refresh token of ${what}`, again.error?.status === 400, 'a refusal with 400', again)
  }

  await suite.check("signOut({scope: 'local'}) ends this session and leaves the others", async () => {
    const [here, there] = [await signIn(), await signIn()]
    holds('signOut', !(await here.client.auth.signOut({ scope: 'local' })).error, 'success', null)
    failure(await here.client.auth.getUser(), { name: 'AuthSessionMissingError' })
    await gone(here.session, 'the session that ended')
    data(await there.client.auth.getUser())
  })

  await suite.check("signOut({scope: 'others'}) ends the others and leaves this one", async () => {
    const [here, there] = [await signIn(), await signIn()]
    holds('signOut', !(await here.client.auth.signOut({ scope: 'others' })).error, 'success', null)
    data(await here.client.auth.getUser())
    await gone(there.session, 'the other session')
  })

  await suite.check('signOut() ends all sessions', async () => {
    const [here, there] = [await signIn(), await signIn()]
    holds('signOut', !(await here.client.auth.signOut()).error, 'success', null)
    await gone(here.session, 'this session')
    await gone(there.session, 'the other session')
  })
}

async function refusals(stage, suite) {
  await suite.check('getUser without a session asks nobody: AuthSessionMissingError', async () => {
    failure(await stage.client().auth.getUser(), { name: 'AuthSessionMissingError', status: 400 })
  })

  await suite.check('getUser with something that is no token: bad_jwt', async () => {
    const error = failure(await stage.client().auth.getUser('not.a.token'), { code: 'bad_jwt', status: 403 })
    matches('message', error.message, /^invalid JWT: unable to parse or verify signature/)
  })

  await suite.check('getUser with the anonymous key: it has no sub claim', async () => {
    failure(await stage.client().auth.getUser(stage.anonKey), {
      code: 'bad_jwt',
      status: 403,
      message: 'invalid claim: missing sub claim',
    })
  })

  await suite.check('getUser of a user who is not there: user_not_found', async () => {
    const { token } = await stage.person()
    const stranger = stage.alike(token, { sub: '00000000-0000-4000-8000-000000000000', session_id: undefined })
    failure(await stage.client().auth.getUser(stranger), {
      code: 'user_not_found',
      status: 403,
      message: 'User from sub claim in JWT does not exist',
    })
  })

  await suite.check('a wrong project key is refused at the gateway', async () => {
    const { error } = await stage.client({ key: 'wrong' }).auth.signInAnonymously()
    equal('status', error?.status, 401)
    equal('message', error?.message, 'Invalid API key')
  })
}
