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
