import { toYaml } from "./to-yaml"

/** `[TAG]\n…\n[/TAG]`. */
export function formatBlock(tag: string, data: unknown): string {
  return `[${tag}]\n${typeof data === "string" ? data : toYaml(data)}\n[/${tag}]`
}
