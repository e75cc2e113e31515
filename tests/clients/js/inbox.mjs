// Waiting for what the server sends: with a deadline, and never by sleeping.

/** Rejects when `promise` has not settled within `ms` milliseconds. */
export function within(ms, what, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected ${what} within ${ms} ms, got nothing`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** Asks again and again until `ask` answers something true; `ms` is the deadline, `every` the pause between answers. */
export async function until(ms, what, ask, every = 100) {
  const end = performance.now() + ms
  for (;;) {
    const answer = await ask()
    if (answer) return answer
    if (performance.now() > end) throw new Error(`expected ${what} within ${ms} ms, got ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}

/** Keeps what came, in order, and hands it to whoever waits for it. */
export class Inbox {
  constructor(what) {
    this.what = what
    this.came = []
    this.waiting = new Set()
  }

  /** The callback that fills it; the client passes more than the message, which is not kept. */
  get put() {
    return (message) => {
      this.came.push(message)
      for (const look of [...this.waiting]) look()
    }
  }

  /** The first entry, also of the past, that fits. Rejects after `ms` milliseconds with what came instead. */
  async first(fits = () => true, ms = 10_000, what = this.what) {
    let look
    const found = new Promise((resolve) => {
      look = () => {
        const entry = this.came.find(fits)
        if (entry !== undefined) resolve(entry)
      }
      this.waiting.add(look)
      look()
    })
    try {
      return await within(ms, what, found)
    } catch (error) {
      throw new Error(`${error.message} (came: ${JSON.stringify(this.came).slice(0, 600)})`)
    } finally {
      this.waiting.delete(look)
    }
  }
}
