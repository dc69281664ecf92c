import { UnsupportedSchemaError } from "../answer-errors"
import {
  type AnswerNode,
  absentOr,
  anyValue,
  entryOf,
  type Fields,
  hideValue,
  isOpen,
  type List,
  plainList,
  present,
} from "./answer-node"
import { combineNodes } from "./combine-nodes"
import { NULL, readChecks, readKey, readLeaf, readValues, sentence } from "./read-leaf"
import { metaOf, type ZodDef, type ZodSchema } from "./zod-schema"

/** Maximum nesting of schemas: a `z.lazy` that creates a new schema each time would not terminate. */
const MAX_NESTING = 200

/** Converts a Zod schema to the shape of its values on the wire. */
export class SchemaReader {
  /** Whether some value is parsed by more than one schema. */
  hasAlternatives = false
  readonly #nodes = new Map<ZodSchema, AnswerNode>()
  #json: AnswerNode | undefined
  #names = 0
  #depth = 0
  /** The place in the answer of the schema that is being read. */
  #path = "answer"

  /**
   * @param step path from the value of the enclosing schema; empty for the same value
   * @throws UnsupportedSchemaError with the path of a construct that cannot be expressed
   */
  read(schema: ZodSchema, step = ""): AnswerNode {
    const enclosing = this.#path
    this.#path += step
    const existing = this.#nodes.get(schema)
    const node = existing === undefined ? this.#create(schema) : this.#reuse(existing)
    this.#path = enclosing
    return node
  }

  #create(schema: ZodSchema): AnswerNode {
    if (this.#depth++ > MAX_NESTING)
      throw this.#unsupported("an infinitely nested schema", "Return the same schema from `z.lazy` each time.")
    const node = { path: this.#path } as AnswerNode
    this.#nodes.set(schema, node)
    const content = readLeaf(schema) ?? this.#construct(schema, schema._zod.def)
    this.#depth--
    const { description } = metaOf(schema)
    if (isOpen(content) && description === undefined) {
      this.#nodes.set(schema, content)
      return content
    }
    // An alias of a recursive type has its own description.
    const isAlias = isOpen(content) || content.recursive !== undefined
    Object.assign(node, isAlias && description !== undefined ? { kind: "union", options: [content] } : content)
    node.note = sentence([description, node.note])
    return node
  }

  #reuse(node: AnswerNode): AnswerNode {
    if (!isOpen(node)) return node
    if (node.path === this.#path)
      throw this.#unsupported("a schema that contains itself directly", "Wrap it in an object.")
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
        return hideValue(inner())
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
    if (Object.getOwnPropertySymbols(shape).length > 0) throw this.#unsupported("a symbol as a key", "Use a string.")
    const fields = Object.entries(shape).map(([key, field]) => [key, this.read(field, `.${key}`)] as const)
    return { kind: "fields", fields: new Map(fields) }
  }

  #tuple({ items, rest }: ZodDef): Fields {
    const fields = new Map(items.map((item, index) => [`item${index + 1}`, this.read(item, `[${index}]`)]))
    if (rest) fields.set("rest", plainList("array", this.read(rest, "[]")))
    return { kind: "fields", fields, tuple: true }
  }

  /** A record with known keys is an object; any other record is an array of entries. */
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
    if (possible.length === 0) throw this.#unsupported("a union without options", "Add an option.")
    this.hasAlternatives ||= possible.length > 1
    const nodes = possible.map((option) => this.read(option))
    return nodes.length === 1 ? nodes[0]! : { kind: "union", options: nodes, schemas: possible }
  }

  #intersection({ left, right }: ZodDef): AnswerNode {
    this.hasAlternatives = true
    const both = combineNodes(this.read(left), this.read(right))
    if (both !== undefined) return both
    const construct = `an intersection of ${left._zod.def.type} and ${right._zod.def.type}`
    throw this.#unsupported(construct, "Write it as one schema.")
  }

  /** The input schema is sent. `z.preprocess` and `z.unknown().pipe(…)` have none, so their output schema is sent. */
  #pipe(schema: ZodSchema, def: ZodDef): AnswerNode {
    const { in: source, out } = def
    if (source._zod.def.type === "transform") return hideValue(this.read(out))
    const words = stringboolWords(schema, def)
    if (words !== undefined) return hideValue({ kind: "leaf", json: { type: "string", enum: words } })
    const input = this.read(source)
    this.hasAlternatives = true
    if (def.transform !== undefined || out._zod.def.type === "transform") return hideValue(input)
    return combineNodes(input, this.read(out)) ?? input
  }

  #anyValue(): AnswerNode {
    this.#json ??= anyValue()
    return this.#json
  }

  #values({ _zod: { def, values = [] } }: ZodSchema): AnswerNode {
    const node = readValues([...values])
    if (node !== undefined) return node
    throw this.#unsupported(`z.${def.type}() without a JSON value`, "Use strings, numbers, booleans or null.")
  }

  /** A custom type is sent as the type in its metadata: `z.instanceof(X).meta({ type: "string" })`. */
  #custom(schema: ZodSchema, { type: kind }: ZodDef): AnswerNode {
    const { type } = metaOf(schema)
    if (kind === "custom" && /^(string|number|integer|boolean)$/.test(String(type)))
      return { kind: "leaf", json: { type } }
    const remedies: Record<string, string> = {
      custom: 'State its type with `.meta({ type: "string" })`.',
      transform: "Write `z.string().transform(…)`.",
      lazy: "Return a schema from it.",
    }
    throw this.#unsupported(`z.${kind}()`, remedies[kind] ?? "Remove it: it has no JSON value.")
  }
}

/** A list with the length constraints of its schema. */
function listOf(schema: ZodSchema, as: List["as"], item: AnswerNode, note?: string): AnswerNode {
  const list = plainList(as, item)
  readChecks(schema, list.json)
  return { ...list, note }
}

/** The words of `z.stringbool()`. Zod lists them only in the error for an invalid word. */
function stringboolWords(schema: ZodSchema, { in: source, out }: ZodDef): string[] | undefined {
  if (!/^(string|pipe)$/.test(source._zod.def.type) || out._zod.def.type !== "boolean") return undefined
  try {
    const result = schema.safeParse("\u0000")
    const issue = result.success ? undefined : result.error.issues[0]
    return issue?.expected === "stringbool" ? (issue.values as string[]) : undefined
  } catch {
    // The schema's own code threw, so it is not a stringbool.
    return undefined
  }
}

function defaultNote(def: ZodDef): string | undefined {
  try {
    const text = JSON.stringify(def.defaultValue)
    return text === undefined || text.length > 100 ? undefined : `Default: ${text}.`
  } catch {
    // A bigint or a cycle cannot be shown to the model.
    return undefined
  }
}
