/** What this process does under one id. */
export interface IdUse {
  readonly key: string
  /** Held reservations, and reserves that are under way or wait for their turn. */
  claims: number
  /** Reservations that are held: a reserve of the same id that is not answered must not release them. */
  held: number
  /** A reserve is under way: an id is never sent twice at once. */
  isReserving: boolean
  /** Reserves that wait until it is over. */
  waiting: (() => void)[] | undefined
}

export function keyOf(root: string, id: string): string {
  return `${root} ${id}`
}

/** Ids that are in use here, by {@link keyOf} root and id. */
export class IdUses {
  /** Never empty: an empty `Map` gives its memory back at the end of every call, and takes it again for the next. */
  readonly #uses = new Map<string, IdUse>([["", useOf("")]])

  isHeld(key: string): boolean {
    return (this.#uses.get(key)?.held ?? 0) > 0
  }

  isReserving(key: string): boolean {
    return this.#uses.get(key)?.isReserving ?? false
  }

  /** One claim more, which `leave` ends. */
  enter(key: string): IdUse {
    let use = this.#uses.get(key)
    if (use === undefined) {
      use = useOf(key)
      this.#uses.set(key, use)
    }
    use.claims++
    return use
  }

  leave(use: IdUse): void {
    if (--use.claims === 0) this.#uses.delete(use.key)
  }
}

function useOf(key: string): IdUse {
  return { key, claims: 0, held: 0, isReserving: false, waiting: undefined }
}

/** The end of the reserve that is under way. Several may wait for it, so that whoever comes first has to look again. */
export function endOf(use: IdUse): Promise<void> {
  return new Promise((resolve) => {
    use.waiting ??= []
    use.waiting.push(resolve)
  })
}

export function endTurn(use: IdUse): void {
  const { waiting } = use
  use.isReserving = false
  use.waiting = undefined
  if (waiting !== undefined) for (const next of waiting) next()
}
