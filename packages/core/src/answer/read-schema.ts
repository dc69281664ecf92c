import { UnsupportedSchemaError } from "./answer-errors"
import { type AnswerNode, absentOr, type Fields, type Late, unionOf } from "./answer-node"
import { combineNodes } from "./combine-nodes"
import {
  itemBounds,
  NAN,
  NULL,
  readBigint,
  readDate,
  readKey,
  readNumber,
  readString,
  readValues,
  sentence,
  UNDEFINED,
} from "./read-leaf"
import { metaOf, type ZodDef, type ZodSchema } from "./zod-schema"

/** Schemas inside schemas, at most: a lazy schema that makes a new one each time would never end. */
const MAX_NESTING = 200

/** Reads one schema of Zod, once, into the form in which its values travel. */
export class SchemaReader {
  readonly #done = new Map<ZodSchema, AnswerNode>()
  readonly #open = new Map<ZodSchema, { late: Late; met: boolean }>()
  #any: AnswerNode | undefined
  #names = 0

  /** @throws UnsupportedSchemaError with the path of what cannot be expressed. */
  read(schema: ZodSchema, path: string): AnswerNode {
    const done = this.#done.get(schema)
    if (done !== undefined) return done
    const open = this.#open.get(schema)
    if (open !== undefined) {
      open.met = true
      return open.late
    }
    if (this.#open.size > MAX_NESTING)
      throw unsupported(path, "a schema without end", "Let `z.lazy` return the same schema each time.")
    const here = { late: { kind: "late" } as Late, met: false }
    this.#open.set(schema, here)
    const { description } = metaOf(schema)
    let node = this.#construct(schema, schema._zod.def, path)
    this.#open.delete(schema)
    if (node === here.late) throw unsupported(path, "a schema that is only itself", "Give it a type.")
    if (description !== undefined) node = { ...node, note: sentence([description, node.note]) }
    if (here.met) {
      node = { ...node, recursive: node.recursive ?? `type${++this.#names}` }
      here.late.target = node
    }
    this.#done.set(schema, node)
    return node
  }

  #construct(schema: ZodSchema, def: ZodDef, path: string): AnswerNode {
    const inner = () => this.read(def.innerType, path)
    switch (def.type) {
      case "string":
        return readString(schema)
      case "number":
      case "int":
        return readNumber(schema)
      case "boolean":
        return { kind: "leaf", json: { type: "boolean" } }
      case "bigint":
        return readBigint(schema)
      case "date":
        return readDate(schema)
      case "null":
        return NULL
      case "undefined":
      case "void":
        return UNDEFINED
      case "nan":
        return NAN
      case "any":
      case "unknown":
        return this.#anyJson()
      case "enum":
      case "literal":
        return readEnum(schema, def, path)
      case "template_literal":
        return { kind: "leaf", json: { type: "string", pattern: schema._zod.pattern?.source } }
      case "object":
        return this.#object(def, path)
      case "array":
        return { kind: "list", as: "array", item: this.read(def.element, `${path}[]`), bounds: itemBounds(schema) }
      case "set":
        return { kind: "list", as: "set", item: this.read(def.valueType, `${path}[]`), bounds: itemBounds(schema) }
      case "map":
        return this.#entries(def, path, "map", schema)
      case "record":
        return this.#record(def, path, schema)
      case "tuple":
        return this.#tuple(def, path)
      case "union":
        return this.#union(def, path)
      case "intersection":
        return this.#intersection(def, path)
      case "nullable":
        return { kind: "union", options: [NULL, inner()] }
      case "optional":
        return absentOr(inner())
      case "default":
      case "prefault":
        return absentOr(inner(), defaultNote(def))
      case "nonoptional": {
        const node = inner()
        return node.kind === "absent" ? node.inner : node
      }
      case "success":
        return { kind: "hidden", inner: inner() }
      case "catch":
      case "readonly":
      case "promise":
        return inner()
      case "lazy":
        return this.read(schema._zod.innerType ?? unsupportedLazy(path), path)
      case "pipe":
        return this.#pipe(schema, def, path)
      default:
        return readCustom(schema, def, path)
    }
  }

  #object({ shape }: ZodDef, path: string): Fields {
    const fields = new Map<string, AnswerNode>()
    if (Object.getOwnPropertySymbols(shape).length > 0)
      throw unsupported(path, "a symbol as a key", "Use a text as the key.")
    for (const key of Object.keys(shape)) fields.set(key, this.read(shape[key]!, `${path}.${key}`))
    return { kind: "fields", fields }
  }

  #tuple({ items, rest }: ZodDef, path: string): Fields {
    const fields = new Map<string, AnswerNode>()
    for (const [index, item] of items.entries()) fields.set(`item${index + 1}`, this.read(item, `${path}[${index}]`))
    if (rest) fields.set("rest", { kind: "list", as: "array", item: this.read(rest, `${path}[]`), bounds: {} })
    return { kind: "fields", fields, tuple: true }
  }

  /** A record of known keys is an object; any other is a list of entries. */
  #record(def: ZodDef, path: string, schema: ZodSchema): AnswerNode {
    const keys = [...(def.keyType._zod.values ?? [])].filter((key) => /^(string|number)$/.test(typeof key))
    if (keys.length === 0) return this.#entries(def, path, "record", schema)
    const value = this.read(def.valueType, `${path}.*`)
    return { kind: "fields", fields: new Map(keys.map((key) => [String(key), def.partial ? absentOr(value) : value])) }
  }

  #entries(def: ZodDef, path: string, as: "map" | "record", schema: ZodSchema): AnswerNode {
    const key = this.read(def.keyType, `${path}.key`)
    const fields = new Map([
      ["key", as === "record" ? readKey(key) : key],
      ["value", this.read(def.valueType, `${path}.*`)],
    ])
    return { kind: "list", as, item: { kind: "fields", fields }, bounds: itemBounds(schema) }
  }

  #union({ options }: ZodDef, path: string): AnswerNode {
    const possible = options.filter((option) => option._zod.def.type !== "never")
    if (possible.length === 0) throw unsupported(path, "a union without options", "Give it an option.")
    return unionOf(possible.map((option) => this.read(option, path)))
  }

  #intersection({ left, right }: ZodDef, path: string): AnswerNode {
    const both = combineNodes(this.read(left, path), this.read(right, path))
    if (both !== undefined) return both
    throw unsupported(
      path,
      `an intersection of ${left._zod.def.type} and ${right._zod.def.type}`,
      "Write it as one schema.",
    )
  }

  /** What goes in is what is sent; `z.preprocess` and `z.unknown().pipe(…)` say nothing of that, so their end is sent. */
  #pipe(schema: ZodSchema, def: ZodDef, path: string): AnswerNode {
    const { in: source, out } = def
    if (source._zod.def.type === "transform") return { kind: "hidden", inner: this.read(out, path) }
    const words = stringboolWords(schema, def)
    if (words !== undefined) return { kind: "hidden", inner: { kind: "leaf", json: { type: "string", enum: words } } }
    const input = this.read(source, path)
    if (def.transform !== undefined || out._zod.def.type === "transform") return { kind: "hidden", inner: input }
    return combineNodes(input, this.read(out, path)) ?? input
  }

  /** Any JSON value: objects travel as lists of entries, like records. */
  #anyJson(): AnswerNode {
    if (this.#any !== undefined) return this.#any
    const late: Late = { kind: "late" }
    const entry = new Map<string, AnswerNode>([
      ["key", { kind: "leaf", json: { type: "string" } }],
      ["value", late],
    ])
    const leaves = ["string", "number", "boolean", "null"].map(
      (type): AnswerNode => ({ kind: "leaf", json: { type }, prefixes: true }),
    )
    const options: AnswerNode[] = [
      ...leaves,
      { kind: "list", as: "array", item: late, bounds: {} },
      { kind: "list", as: "record", item: { kind: "fields", fields: entry }, bounds: {} },
    ]
    this.#any = late.target = { kind: "union", options, any: true, recursive: "json" }
    return this.#any
  }
}

function readEnum(schema: ZodSchema, def: ZodDef, path: string): AnswerNode {
  const node = readValues([...(schema._zod.values ?? def.values ?? Object.values(def.entries ?? {}))])
  if (node === undefined) throw unsupported(path, `z.${def.type}() without a JSON value`, "Give it texts or numbers.")
  return node
}

/** The words of a `z.stringbool()`, which it names itself when it is given another. */
function stringboolWords(schema: ZodSchema, { in: source, out }: ZodDef): string[] | undefined {
  if (!/^(string|pipe)$/.test(source._zod.def.type) || out._zod.def.type !== "boolean") return undefined
  try {
    const result = schema.safeParse("\u0000")
    const issue = result.success ? undefined : result.error.issues[0]
    return issue?.expected === "stringbool" ? (issue.values as string[]) : undefined
  } catch {
    // The user's own code did not like the text: not a stringbool.
    return undefined
  }
}

/** A custom type is sent when its metadata say as what: `z.instanceof(X).meta({ type: "string" })`. */
function readCustom(schema: ZodSchema, def: ZodDef, path: string): AnswerNode {
  const { type } = metaOf(schema)
  if (def.type === "custom" && /^(string|number|integer|boolean)$/.test(String(type)))
    return { kind: "leaf", json: { type } }
  const remedies: Record<string, string> = {
    custom: 'Say as what it travels, as in `.meta({ type: "string" })`, or use a schema of Zod.',
    transform: "Begin with a schema, as in `z.string().transform(…)`.",
    never: "Leave it out.",
  }
  throw unsupported(
    path,
    `z.${def.type}()`,
    remedies[def.type] ?? "No JSON value can be one: leave it out of the answer.",
  )
}

function defaultNote(def: ZodDef): string | undefined {
  try {
    const text = JSON.stringify(def.defaultValue)
    return text === undefined || text.length > 100 ? undefined : `Default: ${text}.`
  } catch {
    // A bigint or a cycle: the model does without.
    return undefined
  }
}

function unsupportedLazy(path: string): never {
  throw unsupported(path, "z.lazy() without a schema", "Let it return a schema.")
}

function unsupported(path: string, construct: string, remedy: string): UnsupportedSchemaError {
  return new UnsupportedSchemaError(path, construct, remedy)
}
