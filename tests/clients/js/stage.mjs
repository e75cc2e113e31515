// Who takes part: the unmodified client library, the clients made of it, their accounts and their channels.

import { createHmac, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { Inbox } from './inbox.mjs'
import { data } from './report.mjs'

/** The secret that the local stack of the provider uses everywhere: it lets a check mint tokens that run out soon. */
const LOCAL_JWT_SECRET = 'super-secret-jwt-token-with-at-least-32-characters-long'

export const PASSWORD = 'correct horse battery staple'

/** What the scripts need of a running server, and a way to make clients for it. */
export class Stage {
  /**
   * @param {{installed: string, supabaseUrl: string, apiUrl: string, anonKey: string, engine: string, vsn?: string,
   *   turnSecret?: string}} given `installed` is the folder whose node_modules holds the client; without `vsn` the
   *   client uses its own default.
   */
  constructor(given) {
    Object.assign(this, given)
    const require = createRequire(`${given.installed}/package.json`)
    this.library = require('@supabase/supabase-js')
    this.version = require('@supabase/supabase-js/package.json').version
    this.WebSocket = careless(require('ws'))
    this.frames = given.vsn ?? (this.version === '2.86.0' ? '1.0.0' : '2.0.0')
    this.clients = []
  }

  /**
   * A client as an application makes it.
   * @param {{realtime?: object, key?: string, accessToken?: string | (() => string)}} options `accessToken` takes the
   *   place of signing in: a token that another service made.
   */
  client({ realtime = {}, key = this.anonKey, accessToken } = {}) {
    const vsn = this.vsn ? { vsn: this.vsn } : {}
    const token = typeof accessToken === 'string' ? () => accessToken : accessToken
    const client = this.library.createClient(this.supabaseUrl, key, {
      auth: { persistSession: false, autoRefreshToken: false, storageKey: `sb-${randomUUID()}` },
      realtime: { transport: this.WebSocket, ...vsn, ...realtime },
      ...(token ? { accessToken: async () => token() } : {}),
    })
    this.clients.push(client)
    return client
  }

  /** A client that has signed in as somebody new, and its user's id. */
  async person(options) {
    const client = this.client(options)
    const { user, session } = data(await client.auth.signInAnonymously())
    return { client, user: user.id, token: session.access_token }
  }

  /** Calls the application's own API as a browser would. */
  async api(method, path, { token, cookie, body } = {}) {
    const headers = { 'Content-Type': 'application/json' }
    if (token) headers.Authorization = `Bearer ${token}`
    if (cookie) headers.Cookie = cookie
    const answer = await fetch(`${this.apiUrl}${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await answer.text()
    return { status: answer.status, headers: answer.headers, body: text && JSON.parse(text) }
  }

  /** The cookies in which @supabase/ssr keeps a session for the web application. */
  cookies(session) {
    const name = `sb-${new URL(this.supabaseUrl).hostname.split('.')[0]}-auth-token`
    const value = 'base64-' + Buffer.from(JSON.stringify(session)).toString('base64url')
    if (value.length <= 3180) return `${name}=${value}`
    return value
      .match(/.{1,3180}/g)
      .map((part, index) => `${name}.${index}=${part}`)
      .join('; ')
  }

  /** A token with these claims, signed with the local secret. */
  mint(claims) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
    return `${signed}.${createHmac('sha256', LOCAL_JWT_SECRET).update(signed).digest('base64url')}`
  }

  /** The claims of `token`, with others in their place, signed anew. */
  alike(token, changes) {
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
    return this.mint({ ...claims, ...changes })
  }

  /** Closes every client that was made. */
  async close() {
    await Promise.allSettled(this.clients.map((client) => client.realtime.disconnect()))
  }
}

/** A WebSocket that may be closed while it still connects: version 2.86.0 does so without listening for the error. */
function careless(WebSocket) {
  return class extends WebSocket {
    constructor(...given) {
      super(...given)
      this.on('error', () => {})
    }
  }
}

/** Subscribes a channel and keeps its states and system messages. */
export function subscribe(channel, what = channel.topic) {
  const states = new Inbox(`a state of ${what}`)
  const system = new Inbox(`a system message of ${what}`)
  channel.on('system', {}, system.put)
  channel.subscribe((status, error) => states.put({ status, error: error?.message }))
  return { channel, states, system }
}

/** Subscribes a channel and waits for SUBSCRIBED; with `changes`, until the database subscription stands too. */
export async function joined(channel, { changes = false } = {}) {
  const subscription = subscribe(channel)
  const { states, system } = subscription
  const state = await states.first(() => true, 12_000)
  if (state.status !== 'SUBSCRIBED') throw new Error(`expected SUBSCRIBED, got ${JSON.stringify(state)}`)
  if (changes) {
    const told = await system.first((m) => m.extension === 'postgres_changes', 10_000)
    if (told.status !== 'ok') throw new Error(`expected a system message with status ok, got ${JSON.stringify(told)}`)
  }
  return subscription
}

export const aside = () => randomUUID().slice(0, 8)
