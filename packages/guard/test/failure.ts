/** Why the work fails; undefined: it succeeds. */
export const failure = (work: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(work).then(
    () => undefined,
    (reason: unknown) => reason ?? true,
  )
