type Fields = Record<string, unknown>

/** The texts of a call. */
export function textsOf({ messages, input, system }: Fields): string[] {
  const contents = ((messages ?? []) as Fields[]).map(({ content }) => content)
  return [...contents, input, system].filter((text) => typeof text === "string")
}
