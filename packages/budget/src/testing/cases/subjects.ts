import { createBudget } from "../../create-budget"
import type { Limit } from "../../limit"
import type { Subject } from "../../subject"
import { equal, match, ok } from "../expect"
import { createRandom } from "../random"
import { type CaseBench, casesOf } from "../store-case"

/** What strangers send as their name. All of them differ, some only in what a careless encoding drops. */
const HOSTILE: readonly string[] = [
  "a",
  "A",
  " a",
  "a ",
  "a\0",
  "a\0b",
  "a\n",
  "a\r\n",
  "a:b",
  "a::b",
  "a|b",
  "a=b",
  "a.b",
  "a/b",
  "../a",
  "{a}",
  "a}{b",
  "}:c:total",
  "total",
  "u=a",
  "u=a|nanoUsd|total",
  ":a",
  "=a",
  "*",
  "a*",
  "a?",
  "[a]",
  "%61",
  "\\x61",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "undefined",
  "0",
  "-0",
  "00",
  "\u00e9",
  "e\u0301",
  "\u212b",
  "\u00c5",
  "A\u030a",
  "\ufb01",
  "fi",
  "\u0430",
  "\ud800",
  "\ud801",
  "\udc00",
  "\udfff",
  "\ufffd",
  "\ud83d\ude00",
  "\ude00\ud83d",
  "\u200b",
  "\u200ba",
  "\ufeffa",
  "a\u202e",
  "sha256:a",
  "x".repeat(40),
  "x".repeat(41),
  "x".repeat(200),
  "x".repeat(1_000_000),
  `${"x".repeat(999_999)}y`,
]

const LIMITS: readonly Limit[] = [
  { scope: "total", limit: null },
  { scope: "user", limit: null, optional: true },
  { scope: "client", limit: null, optional: true },
  { scope: { tag: "team" }, limit: null, optional: true },
]

type Where = (name: string) => Subject

const PLACES: Record<string, { scope: string; subject: Where }> = {
  user: { scope: "user", subject: (userId) => ({ userId }) },
  client: { scope: "client", subject: (clientId) => ({ clientId }) },
  tag: { scope: '{"tag":"team"}', subject: (team) => ({ tags: { team } }) },
}

/** What strangers put into names, through the package that encodes them: no two subjects ever share a cell. */
export const subjectCases = casesOf("contract", "Rules", [
  ...Object.entries(PLACES).map(
    ([place, { scope, subject }]) =>
      [
        `hostile names as ${place}: no two subjects share a cell`,
        [],
        async (bench: CaseBench) => {
          await spendAndCompare(bench, HOSTILE, scope, subject)
        },
      ] as const,
  ),
  [
    "random hostile names, fuzzed: no two subjects share a cell",
    [],
    async (bench) => {
      const random = createRandom(bench.seed)
      const alphabet = [
        "a",
        "A",
        ":",
        "|",
        "=",
        ".",
        "{",
        "}",
        "\0",
        "\n",
        "\ud800",
        "\udc00",
        "\u00e9",
        "e\u0301",
        "%",
        "/",
        " ",
      ]
      const names = new Set<string>()
      while (names.size < 150) {
        names.add(Array.from({ length: random.integer(1, 4) }, () => random.pick(alphabet)).join(""))
      }
      await spendAndCompare(bench, [...names], "user", (userId) => ({ userId }))
    },
  ],
  [
    "names in different scopes are different cells",
    [],
    async (bench) => {
      const budget = budgetOn(bench)
      for (const [index, name] of HOSTILE.slice(0, 40).entries()) {
        const subject = { userId: name, clientId: `${name}:c`, tags: { team: `${name}|t` } }
        await spend(budget, subject, index + 1)
        const statuses = await budget.status(subject)
        const own = statuses.filter((status) => status.scope !== "total")
        equal(
          own.map((status) => status.spent),
          [index + 1, index + 1, index + 1],
          `user, client and team of ${JSON.stringify(name)}`,
        )
      }
      await budget.close({ keepStore: true })
    },
  ],
  [
    "hostile names as tenants: no root reaches another",
    [],
    async (bench) => {
      const names = HOSTILE.filter((name) => name.length < 500)
      const budget = budgetOn(bench, (subject) => `${bench.root}${subject.clientId}`)
      for (const [index, clientId] of names.entries()) await spend(budget, { clientId }, index + 1)
      const roots = names.map((clientId) => budget.rootOf({ clientId }))
      equal(new Set(roots).size, names.length, "different roots")
      for (const [index, clientId] of names.entries()) {
        const total = (await budget.status({ clientId })).find((status) => status.scope === "total")
        equal(total?.spent, index + 1, `total of the tenant ${JSON.stringify(clientId)}`)
      }
      await budget.close({ keepStore: true })
    },
  ],
  [
    "hostile names as ids: each is one reservation of its own",
    [],
    async (bench) => {
      const budget = budgetOn(bench)
      for (const id of HOSTILE) {
        const outcome = await budget.reserve({ id, amount: { nanoUsd: 7 } })
        ok(outcome.ok && !outcome.reservation.replayed, `reserve under the id ${JSON.stringify(id.slice(0, 50))}`)
        match(await outcome.reservation.settle({ nanoUsd: 5 }), { status: "settled", replayed: false }, "settle")
      }
      const [total] = await budget.status({})
      match(total!, { spent: 5 * HOSTILE.length, reserved: 0 }, "total")
      await budget.close({ keepStore: true })
    },
  ],
])

type TestBudget = ReturnType<typeof createBudget>

function budgetOn(bench: CaseBench, root: string | ((subject: Subject) => string) = bench.root): TestBudget {
  return createBudget({ store: bench.store, root, limits: LIMITS, storeTimeoutMs: 10_000, onWarning: () => {} })
}

async function spend(budget: TestBudget, subject: Subject, nanoUsd: number): Promise<void> {
  const outcome = await budget.reserve({ subject, amount: { nanoUsd } })
  ok(outcome.ok, "reserve: expected ok, since nothing is limited")
  match(await outcome.reservation.settle({ nanoUsd }), { status: "settled" }, "settle")
}

/** Each subject spends an amount of its own; if two shared a cell, one would read the sum. */
async function spendAndCompare(
  bench: CaseBench,
  names: readonly string[],
  scope: string,
  subject: Where,
): Promise<void> {
  const budget = budgetOn(bench)
  for (const [index, name] of names.entries()) await spend(budget, subject(name), index + 1)
  for (const [index, name] of names.entries()) {
    const statuses = await budget.status(subject(name))
    const own = statuses.find(
      (status) => (typeof status.scope === "string" ? status.scope : JSON.stringify(status.scope)) === scope,
    )
    equal(own?.spent, index + 1, `spent by ${JSON.stringify(name.slice(0, 50))}`)
  }
  await budget.close({ keepStore: true })
}
