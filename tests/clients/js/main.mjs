// Runs the checks of the unmodified JavaScript client against a server: see `node main.mjs --help`.

import { parseArgs } from 'node:util'
import { applicationApi } from './api.mjs'
import { auth } from './auth.mjs'
import { broadcast } from './broadcast.mjs'
import { changes } from './changes.mjs'
import { errors } from './errors.mjs'
import { matchmaking } from './matchmaking.mjs'
import { presence } from './presence.mjs'
import { rest } from './rest.mjs'
import { signalling } from './signalling.mjs'
import { sockets } from './sockets.mjs'
import { tokens } from './tokens.mjs'
import { Report, SuiteEnd } from './report.mjs'
import { Stage } from './stage.mjs'

/** Suites in which people join the queue: one after the other, or they would meet. */
const QUEUED = { matchmaking, signalling, changes, tokens, api: applicationApi }
/** The others may run side by side. */
const FREE = { auth, rest, errors, broadcast, presence, sockets }

const HELP = `usage: node main.mjs --installed DIR --supabase-url URL --api-url URL --anon-key KEY --engine NAME
                     [--vsn 1.0.0|2.0.0] [--turn-secret SECRET] [--suite NAME]... [--times N]
DIR holds the node_modules with @supabase/supabase-js and ws. SECRET is what the server shares with its TURN server;
without it TURN is not asked for. The server must run with --refresh-reuse-interval 0.
Suites: ${Object.keys({ ...QUEUED, ...FREE }).join(' ')}`

function given() {
  const { values } = parseArgs({
    options: {
      installed: { type: 'string' },
      'supabase-url': { type: 'string' },
      'api-url': { type: 'string' },
      'anon-key': { type: 'string' },
      engine: { type: 'string' },
      vsn: { type: 'string' },
      'turn-secret': { type: 'string' },
      suite: { type: 'string', multiple: true },
      times: { type: 'string', default: '1' },
      help: { type: 'boolean' },
    },
  })
  const missing = ['installed', 'supabase-url', 'api-url', 'anon-key', 'engine'].filter((name) => !values[name])
  if (values.help || missing.length) {
    console.log(missing.length && !values.help ? `missing: ${missing.join(', ')}\n${HELP}` : HELP)
    process.exit(values.help ? 0 : 2)
  }
  return values
}

async function run(name, body, stage, report) {
  try {
    await body(stage, report.suite(name))
  } catch (error) {
    if (!(error instanceof SuiteEnd)) report.notOk(`${name}: (the script itself)`, error.stack)
  }
}

async function once(values, report) {
  const stage = new Stage({
    installed: values.installed,
    supabaseUrl: values['supabase-url'],
    apiUrl: values['api-url'],
    anonKey: values['anon-key'],
    engine: values.engine,
    vsn: values.vsn,
    turnSecret: values['turn-secret'],
  })
  const chosen = (suites) => Object.entries(suites).filter(([name]) => !values.suite || values.suite.includes(name))
  const inTurn = async () => {
    for (const [name, body] of chosen(QUEUED)) await run(name, body, stage, report)
  }
  console.log(`# @supabase/supabase-js ${stage.version}, frames ${stage.frames}, engine ${stage.engine}`)
  await Promise.all([inTurn(), ...chosen(FREE).map(([name, body]) => run(name, body, stage, report))])
  await stage.close()
}

console.warn = () => {} // the client warns that send() on a channel without a socket goes over REST: we mean it to
const values = given()
const report = new Report()
for (let i = 0; i < Number(values.times); i += 1) await once(values, report)
report.close()
process.exit(report.failed ? 1 : 0)
