import { InvalidArgumentError, LruMap } from "@p2/core"
import { encodingNameOf } from "../encoding-of-model"
import { cl100kBase } from "./cl100k"
import { type Encoding, type EncodingName, isEncoding } from "./encoding"
import { o200kBase, o200kHarmony } from "./o200k"
import { p50kBase } from "./p50k"
import { r50kBase } from "./r50k"

const ENCODINGS: readonly Encoding[] = [o200kBase, o200kHarmony, cl100kBase, p50kBase, r50kBase]

/** The encoding of this name, or the encoding itself. @throws InvalidArgumentError */
export function encodingByName(encoding: EncodingName | Encoding): Encoding {
  if (isEncoding(encoding)) return encoding
  const found = ENCODINGS.find(({ name }) => name === encoding)
  if (found !== undefined) return found
  throw new InvalidArgumentError(
    "encoding",
    `${ENCODINGS.map(({ name }) => `"${name}"`).join(", ")} or the \`encoding\` of a sub-path`,
    encoding,
  )
}

let encodings: LruMap<string, Encoding | undefined> | undefined

/**
 * The encoding of a model; undefined if its tokenizer is not public. The last 1000 are kept, because finding the encoding
 * of an id takes ten times as long as counting a short text.
 * @throws InvalidArgumentError
 */
export function encodingOfModel(model: string): Encoding | undefined {
  encodings ??= new LruMap(1000)
  return encodings.getOrCreate(model, () => {
    const name = encodingNameOf(model)
    return name === undefined ? undefined : encodingByName(name)
  })
}
