import type { StoredEntry } from "@p2/budget"
import { P2Error } from "@p2/core"
import { Access } from "./access"
import { callView } from "./calls"
import type { Dashboard, DashboardOptions } from "./dashboard"
import { readDashboardOptions } from "./dashboard-options"
import { Denials } from "./denials"
import { Feed } from "./feed"
import { type Asset, type Assets, appPage, messagePage, type PageOptions, readAssets, SECURITY_HEADERS } from "./page"
import { type SectionStream, sectionStream } from "./section-stream"
import { type CallsView, isRange } from "./view"

/** Maximum number of open pages; further ones get status 503. */
const MAX_VIEWERS = 64
const PAGE_OF_CALLS = 100

/**
 * Creates the page that shows where the money goes: `(request) => Response`, for a server that already listens.
 *
 * @example
 * const dashboard = createDashboard({ budget, origin: () => server.url })
 * const server = await serveProxy((request) => (dashboard.owns(request) ? dashboard.handle(request) : proxy(request)))
 * console.log(dashboard.createLink())
 *
 * @throws InvalidArgumentError if an option is invalid
 */
export function createDashboard(options: DashboardOptions): Dashboard {
  const settings = readDashboardOptions(options)
  const { budget, origin, basePath, title, partition, subjects, onlySubjects, onWarning } = settings
  const access = new Access({ origin, basePath, now: Date.now })
  const denials = new Denials()
  const describe = (entries: readonly StoredEntry[]) =>
    entries.map((entry) => ({ ...callView(entry), deniedBy: denials.limitsOf(entry) }))
  const feed = new Feed({ budget, partition, subjects, onlySubjects, describe, warn: onWarning })
  const streams = new Set<SectionStream>()
  let assets: Promise<Assets> | undefined

  async function handle(request: Request): Promise<Response> {
    const response = await answer(request)
    if (request.method !== "HEAD") return response
    await response.body?.cancel()
    return new Response(null, response)
  }

  async function answer(request: Request): Promise<Response> {
    const place = access.checkPlace(request)
    if (place.status === "forbidden") return forbidden(place.reason)
    if (request.method !== "GET" && request.method !== "HEAD")
      return text(405, "The dashboard is read-only.", { allow: "GET, HEAD" })
    assets ??= readAssets()
    const files = await assets.catch(() => undefined)
    if (files === undefined) {
      assets = undefined
      return text(500, "The files of the page are missing. Run the build of @p2/cli.")
    }
    const { pathname, searchParams } = new URL(request.url)
    const shown: PageOptions = { basePath, title, assets: files }
    switch (pathname.slice(basePath.length)) {
      case "/app.js":
        return file(files.script)
      case "/app.css":
        return file(files.style)
      case "/icon.svg":
        return file(files.icon)
      case "/open":
        return openLink(request, searchParams.get("token"), shown)
    }
    const isPage = pathname === basePath || pathname === `${basePath}/`
    if (access.check(request).status !== "allowed")
      return isPage
        ? html(401, messagePage(shown, { heading: "Not signed in", text: SIGNED_OUT }))
        : json(401, { message: SIGNED_OUT })
    if (isPage) return html(200, appPage(shown))
    switch (pathname.slice(basePath.length)) {
      case "/events":
        return events(request, searchParams.get("range"))
      case "/calls":
        return olderCalls(searchParams.get("cursor"))
      default:
        return text(404, "No such page.")
    }
  }

  function openLink(request: Request, token: string | null, shown: PageOptions): Response {
    // A browser that prefetches the link, or a HEAD request, must not use it up.
    const isPrefetch = /prefetch|prerender/.test(request.headers.get("sec-purpose") ?? "")
    if (request.method === "HEAD" || isPrefetch) return text(503, "Click the link to open the dashboard.")
    const cookie = access.openLink(token)
    if (cookie === undefined)
      return html(410, messagePage(shown, { heading: "This link has been used or has expired", text: SIGNED_OUT }))
    const message = { heading: "Signed in", text: "This browser can now open the dashboard.", next: `${basePath}/` }
    return html(200, messagePage(shown, message), { "set-cookie": cookie })
  }

  function events(request: Request, range: string | null): Response {
    if (!isRange(range)) return text(400, "Unknown range.")
    if (feed.viewers >= MAX_VIEWERS) return text(503, "Too many open pages.")
    const stream = sectionStream(feed, range, request.signal, () => streams.delete(stream))
    streams.add(stream)
    if (request.signal.aborted) stream.close()
    return respond(200, stream.body, { "content-type": "text/event-stream; charset=utf-8" })
  }

  async function olderCalls(cursor: string | null): Promise<Response> {
    try {
      const query = { subject: partition, cursor, order: "newest", limit: PAGE_OF_CALLS } as const
      const page = await budget.usage.list(query)
      const entries = page.entries.filter(({ status }) => status !== "audit")
      return json(200, { calls: describe(entries), cursor: page.cursor, dropped: page.dropped } satisfies CallsView)
    } catch (error) {
      if (P2Error.isInstance(error) && error.kind === "usage") return json(400, { message: "Unknown cursor." })
      return json(503, { message: "The store could not be read." })
    }
  }

  return {
    owns: (request) => {
      const { pathname } = new URL(request.url)
      return pathname === basePath || pathname.startsWith(`${basePath}/`)
    },
    handle,
    createLink: () => access.createLink(),
    onAttempt: (attempt, caller) => denials.record(attempt, caller, Date.now()),
    close: () => {
      access.close()
      for (const stream of [...streams]) stream.close()
    },
  }
}

const SIGNED_OUT =
  "Open the dashboard with a new link, which the program that serves the page prints. A link works once."

function respond(
  status: number,
  body: ConstructorParameters<typeof Response>[0],
  headers: Record<string, string>,
): Response {
  return new Response(body, { status, headers: { ...SECURITY_HEADERS, ...headers } })
}

function forbidden(reason: "host" | "origin"): Response {
  const message =
    reason === "host"
      ? "Open the dashboard at the address that the program printed."
      : "Pages of other origins cannot read the dashboard."
  return text(403, message)
}

function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return respond(status, `${message}\n`, { "content-type": "text/plain; charset=utf-8", ...headers })
}

function html(status: number, page: string, headers: Record<string, string> = {}): Response {
  return respond(status, page, { "content-type": "text/html; charset=utf-8", ...headers })
}

function json(status: number, value: unknown): Response {
  return respond(status, JSON.stringify(value), { "content-type": "application/json" })
}

/** The URL contains a hash of the content, so browsers may cache it. */
function file({ body, contentType }: Asset): Response {
  const caching = { "cache-control": "private, max-age=31536000, immutable" }
  return respond(200, new Uint8Array(body), { "content-type": contentType, ...caching })
}
