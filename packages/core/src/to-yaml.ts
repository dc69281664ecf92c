/** Plain data as readable YAML. */
export function toYaml(value: unknown): string {
  return JSON.stringify(value, undefined, 2) ?? "null"
}
