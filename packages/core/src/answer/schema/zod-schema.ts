/** The parts of a Zod 4 schema that this package reads: `_zod.def`, which Zod keeps stable for libraries. */
export interface ZodSchema {
  _zod: {
    def: ZodDef
    /** The valid values of a schema that accepts a fixed set. */
    values?: Iterable<unknown>
    pattern?: RegExp | undefined
    innerType?: ZodSchema
    /** For objects and unions of objects: the values that each key may have. */
    propValues?: Record<string, Set<unknown>> | undefined
  }
  meta?(): ZodMeta | undefined
  safeParse(value: unknown): ZodResult
  safeParseAsync(value: unknown): Promise<ZodResult>
}

export type ZodResult = { success: true; data: unknown } | { success: false; error: { issues: ZodIssue[] } }

export interface ZodIssue {
  code?: string
  message: string
  path: PropertyKey[]
  /** For `invalid_union`: the issues of each option. */
  errors?: ZodIssue[][]
  /** For `invalid_key` and `invalid_element`: the inner issues. */
  issues?: ZodIssue[]
  expected?: string
  values?: unknown[]
}

export interface ZodMeta {
  id?: string
  title?: string
  description?: string
  type?: unknown
}

export interface ZodDef {
  type: string
  check?: string
  checks?: { _zod: { def: ZodDef } }[]
  shape: Record<string, ZodSchema>
  element: ZodSchema
  innerType: ZodSchema
  keyType: ZodSchema
  valueType: ZodSchema
  left: ZodSchema
  right: ZodSchema
  in: ZodSchema
  out: ZodSchema
  options: ZodSchema[]
  discriminator?: string
  unionFallback?: boolean
  items: ZodSchema[]
  rest?: ZodSchema | null
  partial?: boolean
  transform?: unknown
  defaultValue?: unknown
  // Fields of checks:
  format?: string
  pattern?: RegExp
  value?: unknown
  inclusive?: boolean
  minimum?: number
  maximum?: number
  length?: number
  size?: number
  offset?: boolean
  local?: boolean
  precision?: number | null
}

/** Returns the schema's metadata, from the registry that all copies of Zod share or from its own method. */
export function metaOf(schema: ZodSchema): ZodMeta {
  const { __zod_globalRegistry: registry } = globalThis as { __zod_globalRegistry?: { get(key: unknown): ZodMeta } }
  return registry?.get(schema) ?? schema.meta?.() ?? {}
}

/** Returns the definitions of a schema's checks. A format schema such as `z.email()` is its own first check. */
export function checksOf({ _zod: { def } }: ZodSchema): ZodDef[] {
  const checks = (def.checks ?? []).map((check) => check._zod.def)
  return def.check === undefined ? checks : [def, ...checks]
}
