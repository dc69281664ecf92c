import { AsyncLocalStorage } from "node:async_hooks"
import type { Random } from "../src/testing/random"

/** One simulated process. Code in its context uses its clock and its timers, and ends with it. */
export interface SimulatedProcess {
  name: string
  isDead: boolean
  /** Offset of its clock from the real time, in milliseconds; may change while it runs. */
  skewMs: number
}

interface Event {
  at: number
  order: number
  owner: SimulatedProcess | undefined
  run: () => void
}

const context = new AsyncLocalStorage<SimulatedProcess>()
const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  dateNow: Date.now,
  performanceNow: performance.now.bind(performance),
  random: Math.random,
  randomUUID: globalThis.crypto.randomUUID,
}

/**
 * A clock and a queue of events. Timers, `Date.now`, `performance.now`, `Math.random` and `crypto.randomUUID` are virtual
 * inside simulated processes and real everywhere else, so that a client of a real Redis still works.
 */
export class VirtualTime {
  now: number
  readonly #random: Random
  readonly #start: number
  readonly #handles = new Map<number, Event>()
  #events: Event[] = []
  #count = 0

  constructor(start: number, random: Random) {
    this.now = start
    this.#start = start
    this.#random = random
  }

  /** Runs `body` as this process, which owns the timers that `body` starts. */
  runAs<T>(process: SimulatedProcess, body: () => T): T {
    return context.run(process, body)
  }

  /** Runs `body` outside of every process. */
  runOutside<T>(body: () => T): T {
    return context.exit(body)
  }

  at(time: number, owner: SimulatedProcess | undefined, run: () => void): Event {
    // The order of events of one instant is random, and the same for the same seed.
    const event = { at: time, order: this.#random.next(), owner, run }
    this.#events.push(event)
    return event
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.at(this.now + ms, context.getStore(), resolve))
  }

  /** Runs the next event; returns false if no event is due by `until`. */
  step(until = Number.POSITIVE_INFINITY): boolean {
    let next = -1
    for (let index = 0; index < this.#events.length; index++) {
      const event = this.#events[index]!
      const best = this.#events[next]
      if (best === undefined || event.at < best.at || (event.at === best.at && event.order < best.order)) next = index
    }
    const event = this.#events[next]
    if (event === undefined || event.at > until) return false
    this.#events[next] = this.#events.at(-1)!
    this.#events.pop()
    this.now = Math.max(this.now, event.at)
    if (event.owner?.isDead) return true
    if (event.owner === undefined) event.run()
    else context.run(event.owner, event.run)
    return true
  }

  /** A turn of the real event loop, which completes every task that is not waiting for an event. */
  turn(): Promise<void> {
    return new Promise((resolve) => real.setImmediate(resolve))
  }

  install(): () => void {
    const schedule = (run: () => void, ms = 0) => {
      const handle = ++this.#count
      const owner = context.getStore()
      this.#handles.set(
        handle,
        this.at(this.now + Math.max(1, Math.trunc(ms)), owner, () => {
          this.#handles.delete(handle)
          run()
        }),
      )
      return handle
    }
    const cancel = (handle: unknown) => {
      const event = this.#handles.get(Number(handle))
      if (event === undefined) return false
      this.#handles.delete(Number(handle))
      this.#events = this.#events.filter((one) => one !== event)
      return true
    }
    globalThis.setTimeout = ((run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
      if (context.getStore() === undefined) return real.setTimeout(run, ms, ...args)
      return new VirtualHandle(schedule(() => run(...args), ms))
    }) as never
    globalThis.setInterval = ((run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
      if (context.getStore() === undefined) return real.setInterval(run, ms, ...args)
      const handle = new VirtualHandle(0)
      const again = () => {
        handle.id = schedule(() => {
          again()
          run(...args)
        }, ms)
      }
      again()
      return handle
    }) as never
    const clear = (handle: unknown, otherwise: (handle: never) => void) => {
      if (handle instanceof VirtualHandle) cancel(handle.id)
      else otherwise(handle as never)
    }
    globalThis.clearTimeout = ((handle: unknown) => clear(handle, real.clearTimeout)) as never
    globalThis.clearInterval = ((handle: unknown) => clear(handle, real.clearInterval)) as never
    Date.now = () => {
      const process = context.getStore()
      return process === undefined ? real.dateNow() : this.now + process.skewMs
    }
    performance.now = () => (context.getStore() === undefined ? real.performanceNow() : this.now - this.#start)
    Math.random = () => (context.getStore() === undefined ? real.random() : this.#random.next())
    globalThis.crypto.randomUUID = () =>
      context.getStore() === undefined ? real.randomUUID.call(globalThis.crypto) : this.#uuid()
    return () => {
      globalThis.setTimeout = real.setTimeout
      globalThis.clearTimeout = real.clearTimeout
      globalThis.setInterval = real.setInterval
      globalThis.clearInterval = real.clearInterval
      Date.now = real.dateNow
      performance.now = real.performanceNow
      Math.random = real.random
      globalThis.crypto.randomUUID = real.randomUUID
    }
  }

  #uuid(): ReturnType<typeof real.randomUUID> {
    const digits = Array.from({ length: 32 }, () => this.#random.integer(0, 15).toString(16)).join("")
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
  }
}

/** Has the members of Node's `Timeout`. */
class VirtualHandle {
  constructor(public id: number) {}
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  hasRef(): boolean {
    return false
  }
}
