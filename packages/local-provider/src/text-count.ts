import { countText } from "./models"

/** Counts the tokens of text. */
export type TextCount = (text: string) => number

/** Like a typical tokenizer: 10 % more tokens than o200k_base. */
export const usualCount: TextCount = (text) => Math.ceil(countText(text) * 1.1)

/** Like the worst byte-level tokenizer: one token per byte. */
export const densestCount: TextCount = (text) => Buffer.byteLength(text)

/** Like the worst tokenizer that normalizes: one token per byte of the normalized text. */
export const densestNormalizedCount: TextCount = (text) => Buffer.byteLength(text.normalize("NFKC"))
