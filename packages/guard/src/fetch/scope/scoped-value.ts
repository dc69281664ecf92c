import { withBody } from "../../transport/read-ahead"

/** Runs a function in a scope. */
type RunInScope = <R>(fn: () => R) => R

/**
 * Returns a value whose later code runs in the scope too: the steps of a returned iterator and the `pull` of a stream (also
 * that of a `Response`) otherwise run in the scope of their reader. Looks into a promise, and leaves any other value as it is.
 */
export function keepInScope<T>(value: T, run: RunInScope): T {
  if (typeof value !== "object" || value === null) return value
  // Not subclasses, which have their own methods, such as the promises of the SDKs.
  if (Object.getPrototypeOf(value) === Promise.prototype)
    return (value as unknown as Promise<unknown>).then((resolved) => keepInScope(resolved, run)) as T
  if (value instanceof ReadableStream) return (value.locked ? value : scopedStream(value, run)) as T
  if (value instanceof Response) return (isRead(value) ? value : withBody(value, scopedStream(value.body!, run))) as T
  return isIterable(value) ? scopedObject(value, run) : value
}

function isRead({ body }: Response): boolean {
  return body === null || body.locked
}

/** Asynchronous iterables and iterators, and the generators of synchronous ones. */
function isIterable(value: object): boolean {
  return Symbol.asyncIterator in value || (Symbol.iterator in value && "next" in value)
}

/** The same object, whose methods run in the scope. */
function scopedObject<T extends object>(value: T, run: RunInScope): T {
  return new Proxy(value, {
    get(target, name) {
      // The object itself is `this`, because a proxy has no private fields.
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== "function" || name === "constructor" || isFixed(target, name)) return member
      return (...args: unknown[]) =>
        keepInScope(
          run(() => Reflect.apply(member, target, args)),
          run,
        )
    },
    set: (target, name, changed) => Reflect.set(target, name, changed, target),
  })
}

/** A proxy must show such a property as it is. */
function isFixed(target: object, name: PropertyKey): boolean {
  const property = Reflect.getOwnPropertyDescriptor(target, name)
  return property !== undefined && !property.configurable && !property.writable
}

function scopedStream<T>(stream: ReadableStream<T>, run: RunInScope): ReadableStream<T> {
  const reader = stream.getReader()
  return new ReadableStream<T>(
    {
      async pull(controller) {
        const result = await run(() => reader.read())
        if (result.done) controller.close()
        else controller.enqueue(result.value)
      },
      cancel: (reason) => run(() => reader.cancel(reason)),
    },
    // Reads nothing before its reader does.
    { highWaterMark: 0 },
  )
}
