import { InvalidArgumentError, LruMap } from "@p2/core"
import { cl100kBase } from "./cl100k"
import { type Encoding, type EncodingName, isEncoding } from "./encoding"
import { encodingNameOf } from "./encoding-name"
import { o200kBase, o200kHarmony } from "./o200k"
import { p50kBase } from "./p50k"
import { r50kBase } from "./r50k"

const ENCODINGS: readonly Encoding[] = [o200kBase, o200kHarmony, cl100kBase, p50kBase, r50kBase]

/** Returns the encoding with this name, or the encoding itself if one is passed. @throws InvalidArgumentError */
export function encodingByName(encoding: EncodingName | Encoding): Encoding {
  if (isEncoding(encoding)) return encoding
  const found = ENCODINGS.find(({ name }) => name === encoding)
  if (found !== undefined) return found
  throw new InvalidArgumentError(
    "encoding",
    `${ENCODINGS.map(({ name }) => `"${name}"`).join(", ")} or the \`encoding\` of a sub-path; for a model write { model }`,
    encoding,
  )
}

let encodings: LruMap<string, Encoding | undefined> | undefined

/**
 * Returns the encoding of a model, or undefined if its tokenizer is not public. Caches the last 1000 ids, because resolving
 * an id takes ten times as long as counting a short string.
 * @throws InvalidArgumentError
 */
export function encodingOfModel(model: string): Encoding | undefined {
  encodings ??= new LruMap(1000)
  return encodings.getOrCreate(model, () => {
    const name = encodingNameOf(model)
    return name === undefined ? undefined : encodingByName(name)
  })
}
