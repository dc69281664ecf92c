type Fields = Record<string, unknown>

/** The strings that the input of a call contains. */
export function inputStrings({ messages, input, system }: Fields): string[] {
  const contents = ((messages ?? []) as Fields[]).map(({ content }) => content)
  return [...contents, input, system].filter((text) => typeof text === "string")
}
