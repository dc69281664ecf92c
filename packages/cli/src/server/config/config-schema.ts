import type { Limit, WindowPeriod } from "@p2/budget"
import { z } from "zod"

/*
 * The error of each schema says what is expected there, and becomes "Invalid `place`: expected …, got …". Limits and upstreams are
 * checked further by the packages that use them.
 */
const text = z.string({ error: "a string" }).min(1, "a string that is not empty")
const flag = z.boolean({ error: "true or false" })
const variable = z
  .string({ error: "the name of an environment variable" })
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of an environment variable, such as OPENAI_API_KEY")
const duration = z
  .string({ error: "a duration such as 30s" })
  .regex(/^\d{1,9}(ms|s|m|h|d)$/, "a duration such as 500ms, 30s, 5m, 2h or 30d")
const positive = z.int({ error: "a positive integer" }).min(1, "a positive integer")
const texts = z.record(text, text, { error: "an object of strings" })
const models = z.array(text, { error: 'an array of models such as ["gpt-4o-mini"]' })

/** The budget checks the units. */
const amount = z.custom<Limit["limit"]>(
  (value) => value === null || ["number", "string", "object"].includes(typeof value),
  {
    error: 'dollars such as "1.00", { "usd", "tokens", "requests" }, or null, which counts and denies nothing',
  },
)

/** The budget validates the period. */
const period = z.custom<WindowPeriod>((value) => typeof value === "string", {
  error: '"total", "hour", "day", "week", "month" or a length such as "90m"',
})

const ownLimit = {
  limit: amount,
  per: period.exactOptional(),
  timeZone: text.exactOptional(),
  alertAt: z.array(z.number(), { error: "an array of fractions such as [0.5, 0.8, 1]" }).exactOptional(),
}

const scope = z.union([z.enum(["request", "user", "client", "total", "model"]), z.strictObject({ tag: text })], {
  error: '"user", "client", "model", "total", "request" or { "tag": "team" }',
})

const limit = z.strictObject(
  { scope, ...ownLimit, optional: flag.exactOptional() },
  { error: 'a limit such as { "scope": "user", "limit": "5.00", "per": "day" }' },
)

const upstream = z.strictObject(
  {
    keyFrom: variable.exactOptional(),
    baseURL: text.exactOptional(),
    provider: text.exactOptional(),
    headers: texts.exactOptional(),
    deployments: texts.exactOptional(),
  },
  { error: 'an upstream such as { "keyFrom": "OPENAI_API_KEY" }' },
)

const owner = {
  user: text.exactOptional(),
  client: text.exactOptional(),
  tags: texts.exactOptional(),
}

const configKey = z.strictObject(
  {
    id: z.string({ error: "an id" }).regex(/^[\w.-]{1,32}$/, "1 to 32 letters, digits, and _ . -"),
    hash: z
      .string({ error: "the SHA-256 of the key in hex" })
      .regex(/^[0-9a-f]{64}$/, "the SHA-256 of the key in hex, as `p2 keys create --config-entry` prints it"),
    name: text.exactOptional(),
    ...owner,
    models: models.exactOptional(),
    limits: z.array(z.strictObject(ownLimit)).exactOptional(),
    expires: z.iso.datetime({ error: 'an instant such as "2027-01-31T00:00:00Z"', offset: true }).exactOptional(),
  },
  { error: "a key that `p2 keys create --config-entry` printed" },
)

const webhookFields = { url: text.exactOptional(), urlFrom: variable.exactOptional(), secretFrom: variable }
const webhook = z
  .strictObject(webhookFields, { error: 'a webhook such as { "url": "https://…", "secretFrom": "P2_ALERT_SECRET" }' })
  .refine(({ url, urlFrom }) => (url === undefined) !== (urlFrom === undefined), 'either "url" or "urlFrom"')

const doubtful = z.enum(["bound", "input", "received", "nothing"], {
  error: '"bound", "input", "received" or "nothing"',
})

/** The file that `p2 serve --config` reads. Each field is described in docs/serve.md. */
export const serveConfig = z.strictObject(
  {
    listen: z
      .string({ error: 'an address such as "127.0.0.1:4100"' })
      .regex(/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, 'an address such as "127.0.0.1:4100"')
      .default("127.0.0.1:4100"),
    hosts: z.array(text, { error: 'an array such as ["p2.example.com"]' }).exactOptional(),
    store: text.exactOptional(),
    limits: z
      .array(limit, { error: "an array of limits" })
      .min(1, 'at least one limit such as { "scope": "user", "limit": "5.00", "per": "day" }'),
    upstreams: z
      .record(text, upstream, { error: 'an object such as { "openai": { "keyFrom": "OPENAI_API_KEY" } }' })
      .refine(
        (value) => Object.keys(value).length > 0,
        'at least one provider such as { "openai": { "keyFrom": "OPENAI_API_KEY" } }',
      ),
    models: models.exactOptional(),
    maxOutputTokens: positive.exactOptional(),
    clampTo: z.enum(["maxOutputTokens", "budget"], { error: '"maxOutputTokens" or "budget"' }).exactOptional(),
    maxToolCalls: positive.exactOptional(),
    serviceTier: text.exactOptional(),
    inputBound: z
      .enum(["hard", "provider", "calibrated"], { error: '"hard", "provider" or "calibrated"' })
      .exactOptional(),
    wait: duration.exactOptional(),
    charge: z.strictObject({ serverError: doubtful.exactOptional(), abort: doubtful.exactOptional() }).exactOptional(),
    accountPaths: flag.default(false),
    anonymous: z.strictObject(owner, { error: 'whose calls they are, such as { "user": "ada" }' }).exactOptional(),
    keys: z.array(configKey, { error: "an array of keys" }).default([]),
    alerts: z.array(webhook, { error: "an array of webhooks" }).default([]),
    dashboard: z
      .union([flag, z.strictObject({ origin: text })], {
        error: 'true, false or { "origin": "https://p2.example.com" }',
      })
      .default(false),
    requestTimeout: duration.default("60s"),
    grace: duration.default("30s"),
  },
  { error: "an object" },
)

export type ServeConfig = z.output<typeof serveConfig>

/** The fields of each part of the configuration, by the part's name; `""` is the top level. */
export const FIELDS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(serveConfig.shape),
  limits: Object.keys(limit.shape),
  upstreams: Object.keys(upstream.shape),
  keys: Object.keys(configKey.shape),
  anonymous: Object.keys(owner),
  alerts: Object.keys(webhookFields),
}
