/** Shows a name of a request in a message, unless it may be a text: a prompt must not appear in errors. */
export function shownName(value: unknown): string {
  return typeof value === "string" && /^[\w.:/-]{1,60}$/.test(value) ? `\`${value}\`` : "without a valid name"
}

/** The text of a segment of a path; as it is, if it is not encoded correctly. */
export function decodedSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
