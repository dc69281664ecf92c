import { countText } from "./models"

/** Counts the tokens of text. */
export type TextCount = (text: string) => number

/** As a usual tokenizer: o200k_base and a tenth. */
export const usualCount: TextCount = (text) => Math.ceil(countText(text) * 1.1)

/** As the worst byte-level tokenizer: one token for each byte. */
export const densestCount: TextCount = (text) => Buffer.byteLength(text)

/** As the worst tokenizer that normalizes: one token for each byte of the normalized text. */
export const densestNormalizedCount: TextCount = (text) => Buffer.byteLength(text.normalize("NFKC"))
