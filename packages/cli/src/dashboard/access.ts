import { createHash, randomBytes } from "node:crypto"

const LINK_TTL_MS = 15 * 60_000
/** A browser that was forgotten while signed in is signed out after a day. */
const SESSION_TTL_MS = 24 * 3_600_000
/** The oldest are dropped: links and sessions of a process must not grow without end. */
const MAX_LINKS = 16
const MAX_SESSIONS = 64

export interface AccessOptions {
  origin: () => string
  basePath: string
  now: () => number
}

/** What a request may do. */
export type AccessDecision =
  | { status: "allowed" }
  | { status: "signed-out" }
  | { status: "forbidden"; reason: "host" | "origin" }

/**
 * Who may read the dashboard: browsers that opened a one-time link. Only hashes of tokens are kept, so that neither a heap dump nor
 * the time of a comparison shows one.
 */
export class Access {
  readonly #options: AccessOptions
  /** When each link ends, by the hash of its token. */
  readonly #links = new Map<string, number>()
  /** When each session ends, by the hash of its token. */
  readonly #sessions = new Map<string, number>()

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** Creates a link that signs in one browser. */
  createLink(): string {
    const token = this.#remember(this.#links, MAX_LINKS, LINK_TTL_MS)
    const { origin, basePath } = this.#options
    return `${origin()}${basePath}/open?token=${token}`
  }

  /** Invalidates the token of a link. Returns the cookie of a new session, or undefined if the link was used, has expired or never existed. */
  openLink(token: string | null): string | undefined {
    if (token === null || !this.#isAlive(this.#links, token)) return undefined
    this.#links.delete(hashOf(token))
    const session = this.#remember(this.#sessions, MAX_SESSIONS, SESSION_TTL_MS)
    const { origin, basePath } = this.#options
    const secure = origin().startsWith("https:") ? "; Secure" : ""
    const maxAge = SESSION_TTL_MS / 1000
    return `${this.#cookieName()}=${session}; Path=${basePath}; Max-Age=${maxAge}; HttpOnly; SameSite=Strict${secure}`
  }

  /** Checks `Host`, `Origin` and the session of a request. */
  check(request: Request): AccessDecision {
    const place = this.checkPlace(request)
    if (place.status === "forbidden") return place
    const session = readCookie(request, this.#cookieName())
    const isSignedIn = session !== undefined && this.#isAlive(this.#sessions, session)
    return isSignedIn ? { status: "allowed" } : { status: "signed-out" }
  }

  /**
   * Checks that the request was made to this server (no rebound DNS name) and not by a page of another origin. A link that is
   * clicked on another page is a navigation, which may come from anywhere.
   */
  checkPlace(request: Request): Exclude<AccessDecision, { status: "signed-out" }> {
    const { origin } = this.#options
    const { headers } = request
    const host = headers.get("host") ?? new URL(request.url).host
    if (host.toLowerCase() !== new URL(origin()).host) return { status: "forbidden", reason: "host" }
    const from = headers.get("origin")
    if (from !== null && from !== origin()) return { status: "forbidden", reason: "origin" }
    const site = headers.get("sec-fetch-site")
    const isNavigation = headers.get("sec-fetch-mode") === "navigate" && headers.get("sec-fetch-dest") === "document"
    if (site !== null && site !== "same-origin" && site !== "none" && !isNavigation)
      return { status: "forbidden", reason: "origin" }
    return { status: "allowed" }
  }

  /** Ends all links and sessions. */
  close(): void {
    this.#links.clear()
    this.#sessions.clear()
  }

  /** Browsers send a cookie to every port of a host, so its name has the port. */
  #cookieName(): string {
    const { port, protocol } = new URL(this.#options.origin())
    return `p2_dashboard_${port || (protocol === "https:" ? "443" : "80")}`
  }

  #remember(tokens: Map<string, number>, max: number, ttlMs: number): string {
    const token = randomBytes(32).toString("base64url")
    tokens.set(hashOf(token), this.#options.now() + ttlMs)
    if (tokens.size > max) tokens.delete(tokens.keys().next().value!)
    return token
  }

  #isAlive(tokens: Map<string, number>, token: string): boolean {
    const endsAt = tokens.get(hashOf(token))
    return endsAt !== undefined && this.#options.now() < endsAt
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url")
}

function readCookie(request: Request, name: string): string | undefined {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const [key, ...value] = pair.trim().split("=")
    if (key === name) return value.join("=")
  }
  return undefined
}
