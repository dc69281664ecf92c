import { UnsupportedSchemaError } from "./answer-errors"
import { type AnswerNode, absentOr, type Fields, hidden, type List, present } from "./answer-node"
import { combineNodes } from "./combine-nodes"
import type { ParseWork } from "./parse-work"
import { NULL, readChecks, readKey, readLeaf, readValues, sentence } from "./read-leaf"
import { metaOf, type ZodDef, type ZodSchema } from "./zod-schema"

/** Schemas inside schemas, at most: a lazy schema that makes a new one each time would never end. */
const MAX_NESTING = 200

/** Types whose parts are values of their own. */
const CONTAINERS = /^(object|array|set|map|record|tuple)$/

/** Reads one schema of Zod, once, into the form in which its values travel. */
export class SchemaReader {
  /** Whether some value is parsed by more than one schema. */
  forks = false
  readonly #nodes = new Map<ZodSchema, AnswerNode>()
  #json: AnswerNode | undefined
  #names = 0
  #depth = 0
  /** The schemas being read whose value is the one being read too: unions, wrappers, lazy ones. */
  #outside = new Set<AnswerNode>()

  /** @throws UnsupportedSchemaError with the path of what cannot be expressed. */
  read(schema: ZodSchema, path: string): AnswerNode {
    const known = this.#nodes.get(schema)
    if (known !== undefined) {
      if (this.#outside.has(known))
        throw new UnsupportedSchemaError(
          path,
          "a schema that comes back to itself before any value",
          "Put an object between.",
        )
      if (isOpen(known)) known.recursive ??= `type${++this.#names}`
      return known
    }
    if (this.#depth++ > MAX_NESTING)
      throw new UnsupportedSchemaError(path, "a schema without end", "Let `z.lazy` return the same schema each time.")
    const node = {} as AnswerNode
    this.#nodes.set(schema, node)
    const outside = this.#outside
    this.#outside = CONTAINERS.test(schema._zod.def.type) ? new Set() : new Set(outside).add(node)
    const made = readLeaf(schema) ?? this.#construct(schema, schema._zod.def, path)
    this.#outside = outside
    this.#depth--
    const { description } = metaOf(schema)
    // Another name of a type that refers to itself: its description is not that type's own.
    const isNamed = isOpen(made) || made.recursive !== undefined
    if (isOpen(made) && description === undefined) {
      this.#nodes.set(schema, made)
      return made
    }
    Object.assign(node, isNamed && description !== undefined ? { kind: "union", options: [made] } : made)
    node.note = sentence([description, node.note])
    return node
  }

  #construct(schema: ZodSchema, def: ZodDef, path: string): AnswerNode {
    const inner = () => this.read(def.innerType, path)
    switch (def.type) {
      case "any":
      case "unknown":
        return this.#anyValue()
      case "enum":
      case "literal":
        return readEnum(schema, def, path)
      case "object":
        return this.#object(def, path)
      case "array":
        return listOf(schema, "array", this.read(def.element, `${path}[]`))
      case "set":
        return listOf(schema, "set", this.read(def.valueType, `${path}[]`), "Distinct items.")
      case "map":
        return listOf(schema, "map", this.#entry(def, path), "Entries.")
      case "record":
        return this.#record(schema, def, path)
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
      case "nonoptional":
        return present(inner())
      case "success":
        return hidden(inner())
      case "catch":
      case "readonly":
      case "promise":
        return inner()
      case "lazy":
        if (schema._zod.innerType) return this.read(schema._zod.innerType, path)
        break
      case "pipe":
        return this.#pipe(schema, def, path)
    }
    return readCustom(schema, def, path)
  }

  #object({ shape }: ZodDef, path: string): Fields {
    if (Object.getOwnPropertySymbols(shape).length > 0)
      throw new UnsupportedSchemaError(path, "a symbol as a key", "Use a text.")
    const fields = Object.entries(shape).map(([key, field]) => [key, this.read(field, `${path}.${key}`)] as const)
    return { kind: "fields", fields: new Map(fields) }
  }

  #tuple({ items, rest }: ZodDef, path: string): Fields {
    const fields = new Map(items.map((item, index) => [`item${index + 1}`, this.read(item, `${path}[${index}]`)]))
    if (rest) fields.set("rest", plainList("array", this.read(rest, `${path}[]`)))
    return { kind: "fields", fields, tuple: true }
  }

  /** A record of known keys is an object; any other is a list of entries. */
  #record(schema: ZodSchema, def: ZodDef, path: string): AnswerNode {
    const keys = [...(def.keyType._zod.values ?? [])].filter((key) => /^(string|number)$/.test(typeof key))
    if (keys.length === 0)
      return listOf(schema, "record", this.#entry(def, path, readKey), "Entries with distinct keys.")
    const value = this.read(def.valueType, `${path}.*`)
    return { kind: "fields", fields: new Map(keys.map((key) => [String(key), def.partial ? absentOr(value) : value])) }
  }

  #entry({ keyType, valueType }: ZodDef, path: string, asKey = (key: AnswerNode) => key): Fields {
    const key = asKey(this.read(keyType, `${path}.key`))
    return entryOf(key, this.read(valueType, `${path}.*`))
  }

  #union({ options }: ZodDef, path: string): AnswerNode {
    const possible = options.filter((option) => option._zod.def.type !== "never")
    if (possible.length === 0) throw new UnsupportedSchemaError(path, "a union without options", "Give it an option.")
    const accepts = (option: number, value: unknown, work: ParseWork) => {
      work.spend(possible[option]!, value)
      try {
        return possible[option]!.safeParse(value).success
      } catch {
        // The option's own code threw, or is asynchronous: Zod will tell.
        return true
      }
    }
    this.forks ||= possible.length > 1
    const forms = possible.map((option) => this.read(option, path))
    return forms.length === 1 ? forms[0]! : { kind: "union", options: forms, accepts }
  }

  #intersection({ left, right }: ZodDef, path: string): AnswerNode {
    this.forks = true
    const both = combineNodes(this.read(left, path), this.read(right, path))
    if (both !== undefined) return both
    const construct = `an intersection of ${left._zod.def.type} and ${right._zod.def.type}`
    throw new UnsupportedSchemaError(path, construct, "Write it as one schema.")
  }

  /** What goes in is what is sent; `z.preprocess` and `z.unknown().pipe(…)` say nothing of that, so their end is sent. */
  #pipe(schema: ZodSchema, def: ZodDef, path: string): AnswerNode {
    const { in: source, out } = def
    if (source._zod.def.type === "transform") return hidden(this.read(out, path))
    const words = stringboolWords(schema, def)
    if (words !== undefined) return hidden({ kind: "leaf", json: { type: "string", enum: words } })
    const input = this.read(source, path)
    this.forks = true
    if (def.transform !== undefined || out._zod.def.type === "transform") return hidden(input)
    return combineNodes(input, this.read(out, path)) ?? input
  }

  /** Any JSON value: objects travel as lists of entries, like records. */
  #anyValue(): AnswerNode {
    if (this.#json !== undefined) return this.#json
    const options = ["string", "number", "boolean", "null"].map(
      (type): AnswerNode => ({ kind: "leaf", json: { type }, prefixes: true }),
    )
    const value: AnswerNode = { kind: "union", options, any: true, recursive: "json" }
    options.push(plainList("array", value), plainList("record", entryOf(options[0]!, value)))
    this.#json = value
    return value
  }
}

/** Whether a node is still being read. */
function isOpen(node: AnswerNode): boolean {
  return node.kind === undefined
}

function entryOf(key: AnswerNode, value: AnswerNode): Fields {
  return { kind: "fields", fields: new Map(Object.entries({ key, value })) }
}

/** Of any length. */
function plainList(as: List["as"], item: AnswerNode): List & AnswerNode {
  return { kind: "list", as, item, json: { type: "array" } }
}

/** With what the checks of its schema say of its length. */
function listOf(schema: ZodSchema, as: List["as"], item: AnswerNode, note?: string): AnswerNode {
  const list = plainList(as, item)
  readChecks(schema, list.json)
  return { ...list, note }
}

function readEnum(schema: ZodSchema, def: ZodDef, path: string): AnswerNode {
  const node = readValues([...(schema._zod.values ?? def.values ?? Object.values(def.entries ?? {}))])
  if (node !== undefined) return node
  throw new UnsupportedSchemaError(path, `z.${def.type}() without a JSON value`, "Give it texts or numbers.")
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
function readCustom(schema: ZodSchema, { type: kind }: ZodDef, path: string): AnswerNode {
  const { type } = metaOf(schema)
  if (kind === "custom" && /^(string|number|integer|boolean)$/.test(String(type)))
    return { kind: "leaf", json: { type } }
  const remedies: Record<string, string> = {
    custom: 'Say its type, as in `.meta({ type: "string" })`.',
    transform: "Write `z.string().transform(…)`.",
    lazy: "Let it return a schema.",
  }
  throw new UnsupportedSchemaError(path, `z.${kind}()`, remedies[kind] ?? "Leave it out: it is no JSON.")
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
