import { Client, Pool } from "pg"
import { expect, it } from "vitest"
import { postgresStore } from "../src"

it.each(["connectionString", "url", "host", "client"])(
  "`%s` instead of a pool is an error that names pg's Pool",
  (name) => {
    const options = { [name]: "postgres://user:planted@localhost/db" } as never
    expect(() => postgresStore(options)).toThrow(
      `Unknown option \`${name}\`. Pass a pool of pg: \`pool: new Pool({ connectionString })\`.`,
    )
  },
)

it("a client in place of a pool, and a pool in place of the options", () => {
  expect(() => postgresStore({ pool: new Client() as never })).toThrow(
    "Invalid `options.pool`: expected a `Pool` of `pg`, got an instance of Client.",
  )
  expect(() => postgresStore(new Pool() as never)).toThrow(
    "Invalid `options`: expected an object such as { pool }, got",
  )
})
