import { InvalidArgumentError } from "../errors"
import { toYaml } from "./to-yaml"

/**
 * `data` between `[TAG]` and `[/TAG]`, on lines of their own; a list becomes one block per item, `[TAG_1]`, `[TAG_2]`, ….
 * Objects become YAML. What looks like the end of one of these blocks inside the data is written `[\/TAG]`, so that no
 * data can close the block that holds it.
 *
 * @throws InvalidArgumentError for a tag that is not 1 to 64 letters, digits, `_`, `-`.
 */
export function formatBlock(tag: string, data: unknown): string {
  if (typeof tag !== "string" || !/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(tag))
    throw new InvalidArgumentError("tag", "1 to 64 letters, digits, _ or -, beginning with a letter", tag)
  if (!Array.isArray(data) || data.length === 0) return block(tag, tag, data)
  return data.map((item, index) => block(tag, `${tag}_${index + 1}`, item)).join("\n\n")
}

/** Signs without a width, and the same with white space. */
const UNSEEN = "\\p{Cf}*"
const GAP = "[\\s\\p{Cf}]*"

function block(tag: string, name: string, data: unknown): string {
  const text = typeof data === "string" ? data : toYaml(data)
  // White space, case and signs that are not seen are what a model reads over; a number may follow.
  const shown = [...tag].join(UNSEEN)
  const end = new RegExp(`\\[(${GAP})/(?=${GAP}${shown}(${UNSEEN}_${UNSEEN}\\d+)?${GAP}\\])`, "giu")
  return `[${name}]\n${text.replace(end, "[$1\\/")}\n[/${name}]`
}
