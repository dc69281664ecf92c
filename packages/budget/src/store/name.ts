/** Epoch milliseconds. In replies and requests of a store: by the store's clock. */
export type Millis = number

/** 1 to 64 characters of `A-Z a-z 0-9 _ . : | = -`: partitions, idempotency keys and counter names. They compare as bytes. */
export type Name = string
