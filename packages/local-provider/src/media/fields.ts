import type { IncomingMessage } from "node:http"
import { BadRequest } from "../chat-request"

/** The fields and files of a request, as JSON or as a multipart form. */
export interface MediaRequest {
  fields: Record<string, unknown>
  files: { name: string; file: File }[]
}

export async function readMediaRequest(request: IncomingMessage): Promise<MediaRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  const type = request.headers["content-type"] ?? ""
  if (!type.startsWith("multipart/form-data")) return { fields: JSON.parse(bytes.toString("utf8")), files: [] }
  const form = await new Response(bytes, { headers: { "content-type": type } }).formData()
  const fields: Record<string, unknown> = {}
  const files: MediaRequest["files"] = []
  for (const [name, value] of form)
    if (typeof value === "string") fields[name.replace(/\[\]$/, "")] = value
    else files.push({ name: name.replace(/\[\]$/, ""), file: value })
  return { fields, files }
}

/** An integer of JSON or of a form. */
export function integerOf(value: unknown, fallback: number): number {
  if (value === undefined || value === null) return fallback
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 0) throw new BadRequest("Invalid value: expected an integer.")
  return number
}

export function isTrue(value: unknown): boolean {
  return value === true || value === "true"
}
