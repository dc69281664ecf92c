import type { Subject } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"

const USER = "x-p2-user"
const CLIENT = "x-p2-client"
const REQUEST = "x-p2-request"
const TAGS = "x-p2-tags"
const PREFIX = "x-p2-"
const NAMES: readonly string[] = [USER, CLIENT, REQUEST, TAGS]

/** The subject in the headers of a call, and the headers without it: providers never see them. */
export interface HeaderSubject {
  subject: Subject | undefined
  headers: Headers
}

/**
 * Reads `x-p2-user`, `x-p2-client`, `x-p2-request` and `x-p2-tags` (`team=search,env=production`). Values are
 * percent-decoded, because headers carry only Latin-1: write them with `encodeURIComponent`.
 * @throws InvalidArgumentError for another `x-p2-` header, or a value that cannot be decoded
 */
export function takeSubject(headers: Headers): HeaderSubject {
  const own = [...headers.keys()].filter((name) => name.startsWith(PREFIX))
  if (own.length === 0) return { subject: undefined, headers }
  const remaining = new Headers(headers)
  for (const name of own) {
    if (!NAMES.includes(name)) throw invalid(name, `one of ${NAMES.join(", ")}`)
    remaining.delete(name)
  }
  const read = (name: string) => {
    const value = headers.get(name)
    return value === null ? undefined : decode(name, value)
  }
  const tags = headers.get(TAGS)
  return {
    headers: remaining,
    subject: {
      userId: read(USER),
      clientId: read(CLIENT),
      requestId: read(REQUEST),
      tags: tags === null ? undefined : readTags(tags),
    },
  }
}

function readTags(value: string): Record<string, string> {
  const pairs = value.split(",").map((pair) => {
    const at = pair.indexOf("=")
    if (at < 1) throw invalid(TAGS, "pairs such as team=search,env=production")
    return [decode(TAGS, pair.slice(0, at).trim()), decode(TAGS, pair.slice(at + 1).trim())] as const
  })
  return Object.fromEntries(pairs)
}

function decode(name: string, value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw invalid(name, "a percent-encoded value")
  }
}

/** Never shows the value, which may identify a person. */
function invalid(header: string, expected: string): InvalidArgumentError {
  return new InvalidArgumentError(header, expected, undefined, `Invalid header \`${header}\`: expected ${expected}.`)
}
