export interface Heartbeat {
  stop(): void
}

/** Timers that extend leases, one per reservation. They do not keep the process alive: if it ends, the lease ends too. */
export class Heartbeats {
  readonly #active = new Set<Heartbeat>()

  /**
   * Calls `beat` after every interval, never twice at the same time, until it resolves to false or `stop` is called.
   * `beat` must not reject.
   */
  start(intervalMs: number, beat: () => Promise<boolean>): Heartbeat {
    let timer: ReturnType<typeof setTimeout>
    const wait = () => {
      timer = setTimeout(run, intervalMs)
      timer.unref?.()
    }
    const run = async () => {
      const shouldContinue = await beat()
      if (!this.#active.has(heartbeat)) return
      if (shouldContinue) wait()
      else heartbeat.stop()
    }
    const heartbeat: Heartbeat = {
      stop: () => {
        this.#active.delete(heartbeat)
        clearTimeout(timer)
      },
    }
    this.#active.add(heartbeat)
    wait()
    return heartbeat
  }

  stopAll(): void {
    for (const heartbeat of this.#active) heartbeat.stop()
  }
}
