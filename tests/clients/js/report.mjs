// What the checks say: one line for each, `ok <name>` or `not ok <name>: <what was expected and what came>`.

/** Ends a suite early: what its later checks build on did not come about. */
export class SuiteEnd extends Error {}

export class Report {
  constructor() {
    this.passed = 0
    this.failed = 0
  }

  /** The view of one suite, whose checks are named `<suite>: <check>`. */
  suite(name) {
    return new Suite(this, name)
  }

  ok(name) {
    this.passed += 1
    console.log(`ok ${name}`)
  }

  notOk(name, reason) {
    this.failed += 1
    console.log(`not ok ${name}: ${oneLine(reason)}`)
  }

  /** The last line of a script. */
  close() {
    console.log(`${this.passed} passed, ${this.failed} failed`)
  }
}

class Suite {
  constructor(report, name) {
    this.report = report
    this.name = name
  }

  /** Runs one check; returns what it returns, or undefined where it failed. */
  async check(name, body) {
    try {
      const value = await body()
      this.report.ok(`${this.name}: ${name}`)
      return value
    } catch (error) {
      this.report.notOk(`${this.name}: ${name}`, describe(error))
      return undefined
    }
  }

  /** A check that the rest of the suite builds on: where it fails, the suite ends. */
  async must(name, body) {
    let value
    const before = this.report.failed
    await this.check(name, async () => (value = await body()))
    if (this.report.failed > before && value === undefined) throw new SuiteEnd(name)
    return value
  }
}

/** Expects deep equality of what JSON can say. */
export function equal(what, got, wanted) {
  const [shownGot, shownWanted] = [canonical(got), canonical(wanted)]
  if (shownGot !== shownWanted) throw new Error(`${what}: expected ${shownWanted}, got ${shownGot}`)
}

/** Expects that all the members of `wanted` stand in `got` with those values. */
export function includes(what, got, wanted) {
  for (const [key, value] of Object.entries(wanted)) equal(`${what}.${key} (of ${canonical(got)})`, got?.[key], value)
}

/** Expects that a text has that form. */
export function matches(what, got, pattern) {
  if (!pattern.test(String(got))) throw new Error(`${what}: expected the form ${pattern}, got ${canonical(got)}`)
}

/** Expects that `condition` holds; `wanted` says what should have been. */
export function holds(what, condition, wanted, got) {
  if (!condition) throw new Error(`${what}: expected ${wanted}, got ${canonical(got)}`)
}

/** The data of a PostgREST or Auth answer that must have succeeded. */
export function data(answer) {
  if (answer.error) throw new Error(`expected success, got ${describe(answer.error)}`)
  return answer.data
}

/** The error of an answer that must have failed, with these members. */
export function failure(answer, wanted) {
  if (!answer.error)
    throw new Error(`expected an error ${canonical(wanted)}, got success with ${canonical(answer.data)}`)
  const { code, message, status, name } = answer.error
  includes(
    'error',
    {
      code,
      message,
      name,
      details: answer.error.details,
      hint: answer.error.hint,
      reasons: answer.error.reasons,
      status: status ?? answer.status,
    },
    wanted,
  )
  return answer.error
}

function canonical(value) {
  return (
    JSON.stringify(value, (_, v) => (v && typeof v === 'object' && !Array.isArray(v) ? sorted(v) : v)) ?? 'undefined'
  )
}

function sorted(object) {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function describe(error) {
  if (!(error instanceof Error)) return canonical(error)
  const more = ['code', 'status', 'details', 'hint']
    .filter((k) => error[k] !== undefined)
    .map((k) => `${k}=${canonical(error[k])}`)
  return [error.message, ...more].join(' ')
}

function oneLine(text) {
  return String(text)
    .replace(/\s*\n\s*/g, ' | ')
    .slice(0, 1500)
}
