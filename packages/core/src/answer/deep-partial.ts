/** A value of which any part may still be missing. */
export type DeepPartial<T> = T extends
  | Date
  | Map<unknown, unknown>
  | Set<unknown>
  | bigint
  | ((...args: never) => unknown)
  ? T
  : T extends readonly (infer Item)[]
    ? DeepPartial<Item>[]
    : T extends object
      ? { [Key in keyof T]?: DeepPartial<T[Key]> | undefined }
      : T
