import { describe, expect, it } from "vitest"
import { childEnvironment } from "../../src/run/child-environment"
import { readUpstreams } from "../../src/run/run-upstreams"

const TOKEN = "p2-token"
const URL = "http://127.0.0.1:4000"
const SECRET = "sk-planted-0123456789"

function environmentOf(env: Record<string, string>, options: { passed?: string[]; upstream?: string[] } = {}) {
  const upstreams = readUpstreams(options.upstream ?? [], env)
  return childEnvironment({ env, upstreams, url: URL, token: TOKEN, passed: new Set(options.passed) })
}

describe("the environment of a program", () => {
  it("has a base URL for every provider, and a token only for those that are available", () => {
    const { env, baseURLs } = environmentOf({ ANTHROPIC_API_KEY: SECRET })
    expect(env).toMatchObject({
      ANTHROPIC_BASE_URL: `${URL}/anthropic`,
      ANTHROPIC_API_KEY: TOKEN,
      OPENAI_BASE_URL: `${URL}/openai/v1`,
      GOOGLE_GEMINI_BASE_URL: `${URL}/gemini`,
      OPENROUTER_BASE_URL: `${URL}/openrouter/api/v1`,
      P2_RUN: "1",
    })
    expect(env.OPENAI_API_KEY).toBeUndefined()
    expect(env.AZURE_OPENAI_ENDPOINT).toBeUndefined()
    expect(baseURLs).toEqual([{ name: "ANTHROPIC_BASE_URL", value: `${URL}/anthropic` }])
  })

  it.each([
    ["OPENAI_API_KEY", ["OPENAI_API_KEY"]],
    ["CODEX_API_KEY", ["OPENAI_API_KEY", "CODEX_API_KEY"]],
    ["ANTHROPIC_AUTH_TOKEN", ["ANTHROPIC_API_KEY"]],
    ["GOOGLE_API_KEY", ["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"]],
    ["GEMINI_API_KEY", ["GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"]],
    ["XAI_API_KEY", ["XAI_API_KEY"]],
  ])("with %s has the token in %s", (variable, names) => {
    const { env } = environmentOf({ [variable]: SECRET })
    expect(
      Object.keys(env)
        .filter((name) => env[name] === TOKEN)
        .sort(),
    ).toEqual([...names].sort())
    expect(Object.values(env).join()).not.toContain(SECRET)
  })

  it.each([
    ...["OPENAI_ADMIN_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_BEARER_TOKEN_BEDROCK"],
    ...["GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "HF_TOKEN", "DASHSCOPE_API_KEY", "P2_STORE"],
    ...["CLAUDE_CODE_USE_BEDROCK", "GOOGLE_GENAI_USE_VERTEXAI", "ANTHROPIC_CUSTOM_HEADERS", "OPENAI_ORG_ID"],
  ])("does not have %s, unless it is passed", (variable) => {
    const env = { [variable]: SECRET, PATH: "/bin", GITHUB_TOKEN: "ghp-0123456789" }
    expect(environmentOf(env).env[variable]).toBeUndefined()
    expect(environmentOf(env).env).toMatchObject({ PATH: "/bin", GITHUB_TOKEN: "ghp-0123456789" })
    expect(environmentOf(env, { passed: [variable] }).env[variable]).toBe(SECRET)
  })

  it("does not have a copy of a key under another name", () => {
    const { env, copies } = environmentOf({
      ...{ OPENAI_API_KEY: SECRET, MY_KEY: SECRET, CONFIG: `{"key":"${SECRET}"}`, OTHER: "sk-other" },
    })
    expect(Object.values(env).join()).not.toContain(SECRET)
    expect(copies.sort()).toEqual(["CONFIG", "MY_KEY"])
    expect(env.OTHER).toBe("sk-other")
  })

  it("keeps variables that mention the name or the location of a credential", () => {
    const { env, copies } = environmentOf({
      ...{ AWS_PROFILE: "profile-of-the-team", GOOGLE_APPLICATION_CREDENTIALS: "/keys/ada.json" },
      ...{ PROMPT: "in profile-of-the-team", FILES: "/keys/ada.json:/files" },
    })
    expect(copies).toEqual([])
    expect(env).toMatchObject({ PROMPT: "in profile-of-the-team", FILES: "/keys/ada.json:/files" })
    expect(env.AWS_PROFILE).toBeUndefined()
  })

  it("keeps a key that is passed, and its copies", () => {
    const given = { OPENAI_API_KEY: SECRET, MY_KEY: SECRET }
    const { env } = environmentOf(given, { passed: ["OPENAI_API_KEY"] })
    expect(env).toMatchObject({ ...given, OPENAI_BASE_URL: `${URL}/openai/v1` })
  })

  it("adds the loopback interface to NO_PROXY", () => {
    expect(environmentOf({}).env).toMatchObject({ NO_PROXY: "127.0.0.1,localhost", no_proxy: "127.0.0.1,localhost" })
    const { env } = environmentOf({ NO_PROXY: "corp.test, localhost" })
    expect(env.NO_PROXY).toBe("corp.test,localhost,127.0.0.1")
  })

  it("has variables of a provider that is not in the table", () => {
    const { env } = environmentOf({ ACME_API_KEY: SECRET }, { upstream: ["acme=https://acme.test/v1"] })
    expect(env).toMatchObject({ ACME_BASE_URL: `${URL}/acme/v1`, ACME_API_KEY: TOKEN })
    expect(Object.values(env).join()).not.toContain(SECRET)
  })
})

describe("the upstreams of a run", () => {
  const optionsOf = (name: string, env: Record<string, string>, given: string[] = []) =>
    readUpstreams(given, env).find(({ provider }) => provider.name === name)

  it("have the keys and base URLs of the environment", () => {
    expect(optionsOf("openai", { OPENAI_API_KEY: SECRET })?.options).toEqual({ apiKey: SECRET, headers: {} })
    const gateway = { OPENAI_API_KEY: SECRET, OPENAI_API_BASE: "https://gateway.test/v1", OPENAI_ORG_ID: "org-1" }
    expect(optionsOf("openai", gateway)?.options).toEqual({
      ...{ apiKey: SECRET, baseURL: "https://gateway.test/v1", headers: { "openai-organization": "org-1" } },
    })
    const token = { ANTHROPIC_AUTH_TOKEN: SECRET, ANTHROPIC_BASE_URL: "https://gateway.test" }
    expect(optionsOf("anthropic", token)?.options).toEqual({
      ...{ baseURL: "https://gateway.test", headers: { authorization: `Bearer ${SECRET}` } },
    })
  })

  it("have the address of --upstream, which may need no key", () => {
    const env = { OPENAI_BASE_URL: "https://gateway.test/v1" }
    const { isAvailable, options } = optionsOf("openai", env, ["openai=http://10.0.0.1:8000/v1"])!
    expect([isAvailable, options]).toEqual([true, { baseURL: "http://10.0.0.1:8000/v1", headers: {} }])
  })

  it("without a key say which variable to set", () => {
    const { isAvailable, options } = optionsOf("gemini", {})!
    expect(isAvailable).toBe(false)
    expect(options.unavailable).toContain("GEMINI_API_KEY is not set.")
  })

  it("include Azure only with an address", () => {
    expect(optionsOf("azure", { AZURE_OPENAI_API_KEY: SECRET })).toBeUndefined()
    const env = { AZURE_OPENAI_API_KEY: SECRET, AZURE_OPENAI_ENDPOINT: "https://unit.openai.azure.com" }
    expect(optionsOf("azure", env)?.options).toMatchObject({ apiKey: SECRET, baseURL: "https://unit.openai.azure.com" })
  })

  it("do not take an address with credentials, and do not show it", () => {
    const read = () => readUpstreams([], { OPENAI_BASE_URL: `https://user:${SECRET}@gateway.test/v1` })
    expect(read).toThrow("Invalid `OPENAI_BASE_URL`")
    expect(read).not.toThrow(SECRET)
  })
})
