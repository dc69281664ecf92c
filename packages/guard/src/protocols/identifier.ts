import { describeName } from "@p2/core"

/** Shows a name of a request in a message, unless it may be a prompt or a key: neither may appear in errors. */
export function shownName(value: unknown): string {
  return typeof value === "string" && isShown(value) ? `\`${value}\`` : "without a valid name"
}

/** Shows the path of a field, such as `tools[0].name`; a name that is not an identifier is shown as `…`. */
export function shownField(path: string): string {
  const names = path.split(".").map((name) => {
    const bare = name.replace(/(\[\d*\])+$/, "")
    return bare === "" || describeName(bare) === bare ? name : "…"
  })
  return `\`${names.join(".")}\``
}

/** Whether every part of a dotted name, a path or a MIME type is an identifier and none looks like a key. */
function isShown(value: string): boolean {
  return value !== "" && value.split(/[.:/]/).every((part) => part === "" || describeName(part) === part)
}

/** The decoded segment of a path; unchanged if it is not encoded correctly. */
export function decodedSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
