import { UnsupportedSchemaError } from "../answer-errors"
import { type AnswerNode, absentOr, type Fields, hidden, type List, present } from "./answer-node"
import { combineNodes } from "./combine-nodes"
import { NULL, readChecks, readKey, readLeaf, readValues, sentence } from "./read-leaf"
import { metaOf, type ZodDef, type ZodSchema } from "./zod-schema"

/** Schemas inside schemas, at most: a lazy schema that makes a new one each time would never end. */
const MAX_NESTING = 200

/** Reads one schema of Zod, once, into the form in which its values travel. */
export class SchemaReader {
  /** Whether some value is parsed by more than one schema. */
  forks = false
  readonly #nodes = new Map<ZodSchema, AnswerNode>()
  #json: AnswerNode | undefined
  #names = 0
  #depth = 0
  /** Where in the answer the schema stands that is being read. */
  #path = "answer"

  /**
   * @param step from the value of the schema around it; none where the value is the same.
   * @throws UnsupportedSchemaError with the path of what cannot be expressed.
   */
  read(schema: ZodSchema, step = ""): AnswerNode {
    const outside = this.#path
    this.#path += step
    const known = this.#nodes.get(schema)
    const node = known === undefined ? this.#first(schema) : this.#again(known)
    this.#path = outside
    return node
  }

  #first(schema: ZodSchema): AnswerNode {
    if (this.#depth++ > MAX_NESTING)
      throw this.#unsupported("a schema without end", "Let `z.lazy` return the same schema each time.")
    const node = { path: this.#path } as AnswerNode
    this.#nodes.set(schema, node)
    const made = readLeaf(schema) ?? this.#construct(schema, schema._zod.def)
    this.#depth--
    const { description } = metaOf(schema)
    if (isOpen(made) && description === undefined) {
      this.#nodes.set(schema, made)
      return made
    }
    // Another name of a type that refers to itself: its description is not that type's own.
    const isNamed = isOpen(made) || made.recursive !== undefined
    Object.assign(node, isNamed && description !== undefined ? { kind: "union", options: [made] } : made)
    node.note = sentence([description, node.note])
    return node
  }

  #again(node: AnswerNode): AnswerNode {
    if (!isOpen(node)) return node
    if (node.path === this.#path)
      throw this.#unsupported("a schema that comes back to itself before any value", "Put an object between.")
    node.recursive ??= `type${++this.#names}`
    return node
  }

  #unsupported(construct: string, remedy: string): UnsupportedSchemaError {
    return new UnsupportedSchemaError(this.#path, construct, remedy)
  }

  #construct(schema: ZodSchema, def: ZodDef): AnswerNode {
    const inner = () => this.read(def.innerType)
    switch (def.type) {
      case "any":
      case "unknown":
        return this.#anyValue()
      case "enum":
      case "literal":
      case "null":
      case "undefined":
        return this.#values(schema)
      case "object":
        return this.#object(def)
      case "array":
        return listOf(schema, "array", this.read(def.element, "[]"))
      case "set":
        return listOf(schema, "set", this.read(def.valueType, "[]"), "Distinct items.")
      case "map":
        return listOf(schema, "map", this.#entry(def), "Entries.")
      case "record":
        return this.#record(schema, def)
      case "tuple":
        return this.#tuple(def)
      case "union":
        return this.#union(def)
      case "intersection":
        return this.#intersection(def)
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
        if (schema._zod.innerType) return this.read(schema._zod.innerType)
        break
      case "pipe":
        return this.#pipe(schema, def)
    }
    return this.#custom(schema, def)
  }

  #object({ shape }: ZodDef): Fields {
    if (Object.getOwnPropertySymbols(shape).length > 0) throw this.#unsupported("a symbol as a key", "Use a text.")
    const fields = Object.entries(shape).map(([key, field]) => [key, this.read(field, `.${key}`)] as const)
    return { kind: "fields", fields: new Map(fields) }
  }

  #tuple({ items, rest }: ZodDef): Fields {
    const fields = new Map(items.map((item, index) => [`item${index + 1}`, this.read(item, `[${index}]`)]))
    if (rest) fields.set("rest", plainList("array", this.read(rest, "[]")))
    return { kind: "fields", fields, tuple: true }
  }

  /** A record of known keys is an object; any other is a list of entries. */
  #record(schema: ZodSchema, def: ZodDef): AnswerNode {
    const keys = [...(def.keyType._zod.values ?? [])].filter((key) => /^(string|number)$/.test(typeof key))
    if (keys.length === 0) return listOf(schema, "record", this.#entry(def, readKey), "Entries with distinct keys.")
    const value = this.read(def.valueType, ".*")
    return { kind: "fields", fields: new Map(keys.map((key) => [String(key), def.partial ? absentOr(value) : value])) }
  }

  #entry({ keyType, valueType }: ZodDef, asKey = (key: AnswerNode) => key): Fields {
    const key = asKey(this.read(keyType, ".key"))
    return entryOf(key, this.read(valueType, ".*"))
  }

  #union({ options }: ZodDef): AnswerNode {
    const possible = options.filter((option) => option._zod.def.type !== "never")
    if (possible.length === 0) throw this.#unsupported("a union without options", "Give it an option.")
    this.forks ||= possible.length > 1
    const forms = possible.map((option) => this.read(option))
    return forms.length === 1 ? forms[0]! : { kind: "union", options: forms, schemas: possible }
  }

  #intersection({ left, right }: ZodDef): AnswerNode {
    this.forks = true
    const both = combineNodes(this.read(left), this.read(right))
    if (both !== undefined) return both
    const construct = `an intersection of ${left._zod.def.type} and ${right._zod.def.type}`
    throw this.#unsupported(construct, "Write it as one schema.")
  }

  /** What goes in is what is sent; `z.preprocess` and `z.unknown().pipe(…)` say nothing of that, so their end is sent. */
  #pipe(schema: ZodSchema, def: ZodDef): AnswerNode {
    const { in: source, out } = def
    if (source._zod.def.type === "transform") return hidden(this.read(out))
    const words = stringboolWords(schema, def)
    if (words !== undefined) return hidden({ kind: "leaf", json: { type: "string", enum: words } })
    const input = this.read(source)
    this.forks = true
    if (def.transform !== undefined || out._zod.def.type === "transform") return hidden(input)
    return combineNodes(input, this.read(out)) ?? input
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

  #values({ _zod: { def, values = [] } }: ZodSchema): AnswerNode {
    const node = readValues([...values])
    if (node !== undefined) return node
    throw this.#unsupported(`z.${def.type}() without a JSON value`, "Give it texts or numbers.")
  }

  /** A custom type is sent when its metadata say as what: `z.instanceof(X).meta({ type: "string" })`. */
  #custom(schema: ZodSchema, { type: kind }: ZodDef): AnswerNode {
    const { type } = metaOf(schema)
    if (kind === "custom" && /^(string|number|integer|boolean)$/.test(String(type)))
      return { kind: "leaf", json: { type } }
    const remedies: Record<string, string> = {
      custom: 'Say its type, as in `.meta({ type: "string" })`.',
      transform: "Write `z.string().transform(…)`.",
      lazy: "Let it return a schema.",
    }
    throw this.#unsupported(`z.${kind}()`, remedies[kind] ?? "Leave it out: it is no JSON.")
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

function defaultNote(def: ZodDef): string | undefined {
  try {
    const text = JSON.stringify(def.defaultValue)
    return text === undefined || text.length > 100 ? undefined : `Default: ${text}.`
  } catch {
    // A bigint or a cycle: the model does without.
    return undefined
  }
}
