import { createBudget, memoryStore } from "@p2/budget"
import { describe, expect, it } from "vitest"
import { Access } from "../../src/dashboard/access"
import { createDashboard } from "../../src/dashboard/create-dashboard"

const ORIGIN = "http://127.0.0.1:4310"

function newDashboard() {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
  const dashboard = createDashboard({ budget, origin: ORIGIN })
  const send = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    dashboard.handle(new Request(`${ORIGIN}${path}`, { method, headers: { host: "127.0.0.1:4310", ...headers } }))
  const open = async () => {
    const link = dashboard.createLink()
    const response = await send(link.slice(ORIGIN.length))
    return { link, response, cookie: response.headers.get("set-cookie")!.split(";")[0]! }
  }
  return { dashboard, send, open }
}

const PATHS = ["/dashboard", "/dashboard/", "/dashboard/events?range=1h", "/dashboard/calls", "/dashboard/nothing"]

describe("signing in", () => {
  it("opens a link once, and sets a cookie that scripts and other sites do not get", async () => {
    const { send, open } = newDashboard()
    const { link, response, cookie } = await open()
    expect(response.status).toBe(200)
    expect(response.headers.get("set-cookie")).toMatch(
      /^p2_dashboard_4310=[\w-]{43}; Path=\/dashboard; Max-Age=86400; HttpOnly; SameSite=Strict$/,
    )
    expect((await send("/dashboard/", { cookie })).status).toBe(200)
    const again = await send(link.slice(ORIGIN.length))
    expect(again.status).toBe(410)
    expect(again.headers.get("set-cookie")).toBeNull()
    expect((await send("/dashboard/", { cookie })).status).toBe(200)
  })

  it("does not use up a link for a HEAD request or for a browser that prefetches it", async () => {
    const { dashboard, send } = newDashboard()
    const path = dashboard.createLink().slice(ORIGIN.length)
    for (const response of [await send(path, {}, "HEAD"), await send(path, { "sec-purpose": "prefetch;prerender" })]) {
      expect(response.status).toBe(503)
      expect(response.headers.get("set-cookie")).toBeNull()
    }
    expect((await send(path)).status).toBe(200)
  })

  it("rejects requests without a session, with a wrong one, and with the token of a link", async () => {
    const { dashboard, send } = newDashboard()
    const token = new URL(dashboard.createLink()).searchParams.get("token")!
    const cookies = ["", "p2_dashboard_4310=", `p2_dashboard_4310=${token}`, `p2_dashboard_4310=${"A".repeat(43)}`]
    for (const path of PATHS)
      for (const cookie of cookies) {
        const response = await send(path, { cookie })
        expect(response.status, `${path} ${cookie}`).toBe(401)
        expect(await response.text()).not.toContain(token)
      }
    for (const wrong of ["", "?token=", `?token=${"A".repeat(43)}`])
      expect((await send(`/dashboard/open${wrong}`)).status).toBe(410)
  })

  it("shows a token in no response", async () => {
    const { send, open } = newDashboard()
    const { link, response, cookie } = await open()
    const bodies = [await response.text(), await (await send("/dashboard/", { cookie })).text()]
    for (const body of bodies)
      for (const secret of [new URL(link).searchParams.get("token")!, cookie.split("=")[1]!])
        expect(body).not.toContain(secret)
  })

  it("signs all browsers out when it is closed", async () => {
    const { dashboard, send, open } = newDashboard()
    const { cookie } = await open()
    const unused = dashboard.createLink().slice(ORIGIN.length)
    dashboard.close()
    expect((await send("/dashboard/", { cookie })).status).toBe(401)
    expect((await send(unused)).status).toBe(410)
  })

  it("ends links after 15 minutes, sessions after a day, and the oldest of too many", () => {
    let now = 0
    const access = new Access({ origin: () => ORIGIN, basePath: "/dashboard", now: () => now })
    const tokenOf = (link: string) => new URL(link).searchParams.get("token")
    const isSignedIn = (cookie: string) => {
      const headers = { host: "127.0.0.1:4310", cookie: cookie.split(";")[0]! }
      return access.check(new Request(`${ORIGIN}/dashboard`, { headers })).status === "allowed"
    }
    const [late, early] = [tokenOf(access.createLink()), tokenOf(access.createLink())]
    now = 899_999
    const cookie = access.openLink(early)!
    now = 900_000
    expect(access.openLink(late)).toBeUndefined()
    now = 899_999 + 86_399_999
    expect(isSignedIn(cookie)).toBe(true)
    now += 1
    expect(isSignedIn(cookie)).toBe(false)

    const tokens = Array.from({ length: 17 }, () => tokenOf(access.createLink()))
    expect(access.openLink(tokens[0]!)).toBeUndefined()
    expect(access.openLink(tokens[1]!)).toBeDefined()
  })

  it("marks the cookie as secure behind https", () => {
    const access = new Access({ origin: () => "https://p2.example", basePath: "/x", now: Date.now })
    const token = new URL(access.createLink()).searchParams.get("token")
    expect(access.openLink(token)).toMatch(/^p2_dashboard_443=.*; Path=\/x; .*; Secure$/)
  })
})

describe("requests from elsewhere", () => {
  it("rejects another host, so that a page cannot rebind its DNS name", async () => {
    const { send, open } = newDashboard()
    const { cookie } = await open()
    for (const host of ["evil.example", "127.0.0.1", "127.0.0.1:4311", "localhost:4310", "127.0.0.1:4310.evil.example"])
      for (const path of [...PATHS, "/dashboard/app.js", "/dashboard/open?token=x"])
        expect((await send(path, { host, cookie })).status, `${host} ${path}`).toBe(403)
  })

  it("rejects pages of other origins, except when they link to the page", async () => {
    const { dashboard, send, open } = newDashboard()
    const { cookie } = await open()
    for (const path of PATHS) {
      for (const origin of ["http://evil.example", "http://127.0.0.1:4311", "null"])
        expect((await send(path, { origin, cookie })).status).toBe(403)
      for (const site of ["cross-site", "same-site"])
        expect((await send(path, { "sec-fetch-site": site, "sec-fetch-mode": "cors", cookie })).status).toBe(403)
      const frame = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" }
      expect((await send(path, { ...frame, cookie })).status).toBe(403)
    }
    const click = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }
    expect((await send(dashboard.createLink().slice(ORIGIN.length), click)).status).toBe(200)
    expect((await send("/dashboard/", { origin: ORIGIN, "sec-fetch-site": "same-origin", cookie })).status).toBe(200)
  })

  it("only reads", async () => {
    const { send, open } = newDashboard()
    const { cookie } = await open()
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
      expect((await send("/dashboard/", { cookie }, method)).status).toBe(405)
  })

  it("forbids inline scripts, frames and other origins in every response", async () => {
    const { send, open } = newDashboard()
    const { cookie } = await open()
    const paths = [...PATHS, "/dashboard/app.js", "/dashboard/app.css", "/dashboard/icon.svg", "/dashboard/open"]
    for (const headers of [{}, { cookie }, { host: "evil.example" }] as Record<string, string>[])
      for (const path of paths) {
        const response = await send(path, headers)
        const policy = response.headers.get("content-security-policy")
        expect(policy, path).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
        expect(policy).not.toMatch(/unsafe|http|\*|data:/)
        expect(response.headers.get("x-content-type-options")).toBe("nosniff")
        expect(response.headers.get("access-control-allow-origin")).toBeNull()
        await response.body?.cancel()
      }
  })
})

describe("paths", () => {
  it("owns what is below its base path, and nothing else", () => {
    const { dashboard } = newDashboard()
    const owns = (path: string) => dashboard.owns(new Request(`${ORIGIN}${path}`))
    expect(["/dashboard", "/dashboard/", "/dashboard/events"].map(owns)).toEqual([true, true, true])
    expect(["/", "/dashboards", "/openai/v1", "/x/dashboard"].map(owns)).toEqual([false, false, false, false])
  })

  it("rejects invalid options", () => {
    const budget = createBudget({ store: memoryStore(), limits: [] })
    expect(() => createDashboard({ budget, origin: ORIGIN, basePath: "/a/" })).toThrow(/Invalid `basePath`/)
    expect(() => createDashboard({ budget, origin: ORIGIN, basePath: "" })).toThrow(/Invalid `basePath`/)
    expect(() => createDashboard({ budget: {} as never, origin: ORIGIN })).toThrow(/Invalid `budget`/)
    expect(() => createDashboard({ budget, origin: "127.0.0.1:4310" })).toThrow(/Invalid `origin`/)
    expect(() => createDashboard({ budget, origin: ORIGIN, title: 5 as never })).toThrow(/Invalid `title`/)
    expect(() => createDashboard({ budget, origin: ORIGIN, path: "/x" } as never)).toThrow(/Unknown option `path`/)
  })
})
