import { createBudget, type Limit, memoryStore } from "@p2/budget"
import { hideString, InvalidArgumentError } from "@p2/core"
import { readDuration } from "../../duration"
import { nameOptions } from "../../output/name-options"
import { renderTable } from "../../output/table"
import { nameStore } from "../../store/name-store"
import { openStore } from "../../store/open-store"
import { shownAddress } from "../../store/store-address"
import { configKeys } from "../config/config-keys"
import type { ServeConfig } from "../config/config-schema"
import { missingScope } from "../config/missing-scope"
import { refuseInsideRun } from "../inside-run"
import { checkPresent } from "../ledger/subject-options"
import { formatLimit } from "../limit-text"
import { type CommandStore, storeOfCommand } from "../store-of-command"
import { readTags } from "../tags"
import type { KeyStore } from "./key-store"
import { openKeyStore } from "./open-key-store"
import {
  createKey,
  createKeyId,
  hashKey,
  KEY_TAG,
  type KeyLimit,
  type KeyRecord,
  keyState,
  limitsOf,
  subjectOf,
} from "./virtual-key"

export interface CreateKeyArguments {
  user?: string
  client?: string
  tag?: string[]
  models?: string
  limit?: string
  per?: string
  timeZone?: string
  expires?: string
  name?: string
  config?: string
  store?: string
  configEntry?: true
  json?: true
}

/** `p2 keys create`: prints the key, once. */
export async function createKeyCommand(given: CreateKeyArguments, now: number = Date.now()): Promise<void> {
  refuseInsideRun("keys create")
  const key = createKey()
  const record = await nameOptions(async () => newRecord(given, hashKey(key), now))
  const { address, config } = await storeOfCommand(given)
  if (config !== undefined) checkOwner(record, config.limits)
  if (given.configEntry !== true) await withKeys({ address, config }, (keys) => keys.add(record))
  const shown = given.configEntry === true ? { key, entry: entryOf(record) } : { key, ...publicFields(record, now) }
  if (given.json === true) return print(JSON.stringify(shown, null, 2))
  if (given.configEntry === true)
    return print(`Key (shown once): ${key}\nEntry of \`keys\`:   ${JSON.stringify(entryOf(record))}`)
  print(`Key (shown once): ${key}\nId:               ${record.id}\nStore:            ${shownAddress(address)}\n`)
  print(`Use it as the API key of an SDK, with the base URL of the server${config ? `: ${baseURLOf(config)}` : ""}`)
}

/** The base URL of the first upstream, as an SDK expects it. */
function baseURLOf({ listen, upstreams }: ServeConfig): string {
  const [name] = Object.keys(upstreams)
  return `http://${listen}/${name}${name === "openai" ? "/v1" : ""}`
}

/** `p2 keys list` */
export async function listKeysCommand(given: { config?: string; store?: string; json?: true }): Promise<void> {
  const now = Date.now()
  const records = await withKeys(await storeOfCommand(given), async (keys, configured) => [
    ...configured,
    ...(await keys.list()),
  ])
  if (given.json === true)
    return print(
      JSON.stringify(
        records.map((record) => publicFields(record, now)),
        null,
        2,
      ),
    )
  if (records.length === 0) return print("No keys. `p2 keys create --user NAME` creates one.")
  const titles = ["ID", "NAME", "USER", "TAGS", "MODELS", "LIMITS", "EXPIRES", "STATE"]
  const rows = records.map((record) => [
    ...[record.id, record.name ?? "", record.userId ?? "", tagText(record), (record.models ?? ["all"]).join(" ")],
    (record.limits ?? []).map(formatLimit).join(" "),
    record.expiresAt === null ? "never" : new Date(record.expiresAt).toISOString().slice(0, 10),
    keyState(record, now),
  ])
  print(
    renderTable(
      titles.map((title) => ({ title })),
      rows,
    ),
  )
}

/** `p2 keys revoke` */
export async function revokeKeyCommand(id: string, given: { config?: string; store?: string }): Promise<void> {
  refuseInsideRun("keys revoke")
  const isFound = await withKeys(await storeOfCommand(given), async (keys, configured) => {
    if (configured.some((record) => record.id === id))
      throw new InvalidArgumentError(
        "id",
        "a key of the store",
        undefined,
        "This key is in the configuration. Remove it from `keys`, and restart the server.",
      )
    return keys.revoke(id, Date.now())
  })
  if (!isFound)
    throw new InvalidArgumentError(
      "id",
      "the id of a key",
      undefined,
      "No key has this id. Run `p2 keys list` to see the ids.",
    )
  print(`Revoked ${id}. Every instance rejects the key within two seconds.`)
}

async function withKeys<T>(
  { address, config }: CommandStore,
  work: (keys: KeyStore, configured: readonly KeyRecord[]) => Promise<T>,
): Promise<T> {
  return nameStore(address, () =>
    withOpenKeys(address, (keys) => work(keys, config === undefined ? [] : configKeys(config))),
  )
}

async function withOpenKeys<T>(address: string, work: (keys: KeyStore) => Promise<T>): Promise<T> {
  const store = await openStore(address)
  try {
    const keys = await openKeyStore(address, store.store)
    try {
      return await work(keys)
    } finally {
      await keys.close()
    }
  } finally {
    await store.close()
  }
}

/** A key that lacks a field that a limit counts by would be useless. @throws InvalidArgumentError */
function checkOwner(record: KeyRecord, limits: readonly Limit[]): void {
  const missing = missingScope(limits, subjectOf(record))
  if (missing === undefined) return
  const { index, field } = missing
  const option = "tag" in field ? `--tag ${field.tag}=VALUE` : `--${field.name} NAME`
  throw new InvalidArgumentError(
    option,
    "present",
    undefined,
    `\`${option}\` is missing, because \`limits[${index}]\` of the configuration requires it.`,
  )
}

/** @throws InvalidArgumentError */
function newRecord(given: CreateKeyArguments, hash: string, now: number): KeyRecord {
  checkPresent({ user: given.user, client: given.client, name: given.name })
  const tags = readTags(given.tag ?? [])
  if (KEY_TAG in tags) throw new InvalidArgumentError("--tag", "another name, because p2 sets `key`", `${KEY_TAG}=…`)
  const record: KeyRecord = {
    ...{ id: createKeyId(), hash, name: given.name, userId: given.user, clientId: given.client },
    ...(given.tag !== undefined && { tags }),
    models: given.models === undefined ? undefined : readModels(given.models),
    limits: readLimits(given),
    createdAt: now,
    expiresAt: given.expires === undefined ? null : now + readLifetime(given.expires),
    revokedAt: null,
  }
  createBudget({ store: memoryStore(), limits: limitsOf(record) })
  return record
}

function readLifetime(expires: string): number {
  const lifetime = readDuration(expires, "--expires")
  if (lifetime > 0) return lifetime
  throw new InvalidArgumentError("--expires", "a duration above 0", expires)
}

function readModels(names: string): string[] {
  const models = names.split(",").map((name) => name.trim())
  if (models.every((model) => model !== "")) return models
  throw new InvalidArgumentError(
    "--models",
    "names separated by commas, such as gpt-4o-mini,gpt-4.1",
    hideString(names),
  )
}

function readLimits({ limit, per, timeZone }: CreateKeyArguments): KeyLimit[] | undefined {
  if (limit !== undefined)
    return [
      {
        limit,
        ...(per !== undefined && { per: per as NonNullable<KeyLimit["per"]> }),
        ...(timeZone !== undefined && { timeZone }),
      },
    ]
  const name = per !== undefined ? "--per" : timeZone !== undefined ? "--time-zone" : undefined
  if (name === undefined) return undefined
  throw new InvalidArgumentError(name, "absent, because there is no `--limit`", per ?? timeZone)
}

/** The fields of a key that may be shown. */
function publicFields({ hash: _, ...fields }: KeyRecord, now: number): Record<string, unknown> {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString())
  const { createdAt, expiresAt, revokedAt } = fields
  const state = keyState({ ...fields, hash: "" }, now)
  return {
    ...fields,
    createdAt: createdAt === 0 ? null : time(createdAt),
    expiresAt: time(expiresAt),
    revokedAt: time(revokedAt),
    state,
  }
}

/** A key as the configuration writes it. */
function entryOf({
  id,
  hash,
  name,
  userId,
  clientId,
  tags,
  models,
  limits,
  expiresAt,
}: KeyRecord): Record<string, unknown> {
  const expires = expiresAt === null ? undefined : new Date(expiresAt).toISOString()
  return { id, hash, name, user: userId, client: clientId, tags, models, limits, expires }
}

function tagText({ tags = {} }: KeyRecord): string {
  return Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
