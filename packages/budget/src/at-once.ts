type Member<Request, Answer> = (request: Request) => Promise<Answer>

let works: WeakMap<Member<never, unknown>, (request: never) => unknown> | undefined

/** A member of a store whose work needs no waiting: who knows that may do it in the same step, without a promise. */
export function atOnce<Request, Answer>(work: (request: Request) => Answer): Member<Request, Answer> {
  const member = async (request: Request) => work(request)
  works ??= new WeakMap()
  works.set(member, work)
  return member
}

/** The work of a member; undefined when it has to be waited for. By the member, so that whoever replaces it is asked. */
export function workOf<Request, Answer>(member: Member<Request, Answer>): ((request: Request) => Answer) | undefined {
  return works?.get(member) as ((request: Request) => Answer) | undefined
}
