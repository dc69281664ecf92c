import { describe, expect, it } from "vitest"
import { CONFIG_TEMPLATE } from "../../src/server/config/config-template"
import { parseConfig } from "../../src/server/config/read-config"

const VALID = {
  limits: [{ scope: "user", limit: "5.00", per: "day" }],
  upstreams: { openai: { keyFrom: "OPENAI_API_KEY" } },
}

function problemOf(config: unknown): string {
  try {
    parseConfig(typeof config === "string" ? config : JSON.stringify(config), "p2.json")
  } catch (error) {
    expect(error).toMatchObject({ kind: "usage" })
    return (error as Error).message
  }
  return "none"
}

it("accepts what `p2 init` writes, comments included", () => {
  const config = parseConfig(CONFIG_TEMPLATE, "/srv/p2.json")
  expect(config).toMatchObject({ listen: "127.0.0.1:4100", store: "file:/srv/p2.db", dashboard: false, keys: [] })
  expect(config.limits).toHaveLength(2)
})

it("names the place of invalid JSON", () => {
  expect(problemOf('{\n  "limits": [,]\n}')).toBe("p2.json: Invalid JSON at line 2, column 14 (ValueExpected).")
})

describe("names the place and the remedy", () => {
  const key = { id: "laptop", hash: "0".repeat(64), user: "ada" }
  it.each<[unknown, string]>([
    [{ ...VALID, limits: [] }, "Invalid `limits`: expected at least one limit such as"],
    [{ upstreams: VALID.upstreams }, "`limits` is missing: expected an array of limits."],
    [{ ...VALID, upstreams: {} }, "Invalid `upstreams`: expected at least one provider"],
    [
      { ...VALID, limits: [{ scope: "team", limit: 5 }] },
      'Invalid `limits[0].scope`: expected "user", "client", "model", "total", "request" or { "tag": "team" }, got "team".',
    ],
    [
      { ...VALID, limits: [{ scope: "user", limit: "5$" }] },
      'Invalid `limits[0].limit`: expected a dollar amount such as 5 or "5.00", got "5$".',
    ],
    [{ ...VALID, limits: [{ scope: "user", limit: 5, per: "daily" }] }, "Invalid `limits[0].per`: expected"],
    [
      { ...VALID, limits: [{ scope: "user", limit: { tokns: 5 } }] },
      "Unknown option `limits[0].limit.tokns`. Did you mean `tokens`?",
    ],
    [{ ...VALID, keys: [key, { ...key, id: "b", models: "all" }] }, "Invalid `keys[1].models`: expected an array of"],
    [
      { ...VALID, keys: [{ ...key, limits: [{ limit: "x" }] }] },
      'Invalid `keys[0].limits[0].limit`: expected a dollar amount such as 5 or "5.00", got "x".',
    ],
    [{ ...VALID, keys: [key, key] }, "`keys[1].id` is the id of another key. Ids must be unique."],
    [{ ...VALID, keys: [{ ...key, tags: { key: "x" } }] }, "`keys[0].tags.key` is reserved"],
    [{ ...VALID, keys: [{ ...key, hash: "abc" }] }, "Invalid `keys[0].hash`: expected the SHA-256 of the key in hex"],
    [{ ...VALID, keys: [{ ...key, expires: "soon" }] }, "Invalid `keys[0].expires`: expected an instant such as"],
    [{ ...VALID, anonymous: {} }, "`anonymous.user` is missing, because `limits[0]` requires it."],
    [{ ...VALID, keys: [{ ...key, user: undefined }] }, "`keys[0].user` is missing, because `limits[0]` requires it."],
    [
      { ...VALID, limits: [{ scope: { tag: "team" }, limit: 1 }], keys: [key] },
      "`keys[0].tags.team` is missing, because `limits[0]` requires it.",
    ],
    [{ ...VALID, limts: [] }, "Unknown option `limts`. Did you mean `limits`?"],
    [
      { ...VALID, upstreams: { openai: { keyFrm: "K" } } },
      "Unknown option `upstreams.openai.keyFrm`. Did you mean `keyFrom`?",
    ],
    [{ ...VALID, port: 80 }, 'Unknown option `port`. Did you mean `listen`, such as "127.0.0.1:4100"?'],
    [
      { ...VALID, upstreams: { openai: { apiKey: "secret" } } },
      'Unknown option `upstreams.openai.apiKey`. Put the key into an environment variable, and write its name: "keyFrom": "OPENAI_API_KEY".',
    ],
    [{ ...VALID, listen: "4100" }, 'Invalid `listen`: expected an address such as "127.0.0.1:4100", got "4100".'],
    [{ ...VALID, wait: "soon" }, "Invalid `wait`: expected a duration such as 500ms, 30s"],
    [{ ...VALID, alerts: [{ secretFrom: "S" }] }, 'Invalid `alerts[0]`: expected either "url" or "urlFrom"'],
    [{ ...VALID, upstreams: { health: {} } }, "`upstreams.health` is reserved: p2 serves that path itself."],
    [{ ...VALID, dashboard: { origin: "https://p2.example.com/" } }, "Invalid `dashboard.origin`: expected an origin"],
    [{ ...VALID, store: "mysql://x" }, "Invalid `store`: expected memory:"],
    [[], "Invalid configuration: expected an object, got an array of 0."],
  ])("%j", (config, expected) => {
    expect(problemOf(config)).toContain(expected)
    expect(problemOf(config)).toMatch(/^p2\.json: /)
  })
})

it.each([
  { ...VALID, upstreams: { openai: { keyFrom: "sk-proj-0123456789abcdef" } } },
  { ...VALID, upstreams: { openai: { keyFrom: "K", headers: { "x-tenant": "Bearer sk-ant-0123456789" } } } },
  { ...VALID, upstreams: { openai: { keyFrom: "K", headers: { Authorization: "anything at all" } } } },
  { ...VALID, upstreams: { openai: { keyFrom: "K", headers: { "sk-proj-0123456789abcdef": "x" } } } },
  { ...VALID, upstreams: { openai: { keyFrom: "K", baseURL: "https://ada:pass0123@example.com/v1" } } },
  { ...VALID, store: "redis://:pass0123@example.com" },
  { ...VALID, "sk-proj-0123456789abcdef": 1 },
  { ...VALID, keys: [{ id: "a", hash: "p2k_0123456789abcdef" }] },
])("rejects a key or a password in the file, and does not show it: %#", (config) => {
  const problem = problemOf(config)
  expect(problem).toMatch(/looks like a key|contains a key|contains a password/)
  expect(problem).not.toMatch(/0123|anything/)
})

it("shows no string that may be secret", () => {
  expect(problemOf({ ...VALID, models: "hunter2hunter2" })).not.toContain("hunter2")
  expect(problemOf({ ...VALID, upstreams: { openai: { keyFrom: "hunter2 hunter2" } } })).not.toContain("hunter2")
})

it("listens on another address only with keys, and with names", () => {
  expect(problemOf({ ...VALID, listen: "10.0.0.5:4100", anonymous: { user: "ada" } })).toContain(
    "`anonymous` requires a loopback address",
  )
  expect(problemOf({ ...VALID, listen: "0.0.0.0:4100" })).toContain("`hosts` is missing")
  expect(problemOf({ ...VALID, limits: [{ scope: { tag: "key" }, limit: 1 }], keys: [] })).toBe("none")
  expect(problemOf({ ...VALID, listen: "0.0.0.0:4100", hosts: ["p2.example.com"] })).toBe("none")
  expect(problemOf({ ...VALID, listen: "[::1]:4100", anonymous: { user: "ada" } })).toBe("none")
})
