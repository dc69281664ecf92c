import { isRecord } from "@p2/core"
import type { ReportedError } from "../meter"

/** The longest message that is kept, in characters. */
const MAX_MESSAGE = 4_000

/**
 * Reads an error body of any provider: OpenAI's and Anthropic's `error` object, a list with one (Gemini), a string (xAI),
 * `object: "error"` (vLLM, Mistral), `detail` (FastAPI), `error_code` and `error_msg` (Baidu), `base_resp` (MiniMax), `code`
 * and `msg` (Zhipu). A body of any other shape is its own message.
 */
export function readReportedError(body: unknown): ReportedError {
  const [holder] = [body].flat() as unknown[]
  if (!isRecord(holder)) return { status: undefined, code: undefined, message: wordsOf(holder) }
  const nested = [holder.error, holder.base_resp, [holder.errors].flat()[0], holder.detail].find(isRecord)
  const fields = { ...holder, ...nested }
  const code = [
    fields.code,
    fields.error_code,
    fields.errcode,
    fields.status_code,
    holder.code,
    fields.type,
    fields.status,
  ].find(isCode)
  const status = [fields.status, fields.code, fields.status_code, holder.status, holder.code].map(Number).find(isStatus)
  const message = [
    nested?.message,
    holder.error,
    fields.message,
    fields.error_message,
    fields.error_msg,
    fields.status_msg,
    fields.errmsg,
    fields.msg,
    fields.detail,
    fields.reason,
  ].find((words) => words !== undefined && words !== null && words !== "" && !isRecord(words))
  const [inner] = [fields.innererror, fields.inner_error].filter(isRecord)
  return {
    status,
    code: code === undefined ? undefined : String(code),
    message: wordsOf(message ?? body),
    ...(isCode(inner?.code) ? { innerCode: String(inner.code) } : {}),
  }
}

/**
 * Whether a body or an event reports an error. A good chunk may have `error: null`, and MiniMax's `base_resp` with the
 * status 0.
 */
export function reportsError(body: Record<string, unknown>): boolean {
  const { error, errors, object, type, detail, base_resp: base, success, choices } = body
  if (isRecord(error) || error === true || (typeof error === "string" && error !== "") || isStatus(Number(error)))
    return true
  if (object === "error" || object === "Error" || type === "error") return true
  if (isRecord(base) && base.status_code !== undefined && base.status_code !== 0) return true
  if (Array.isArray(errors) && errors.length > 0) return true
  if ([body.error_msg, body.error_message, body.err_msg].some(isMessage)) return true
  if (Array.isArray(choices) && choices.length > 0) return false
  if ([body.message, body.msg].some(isMessage) && !isSuccess(body.code)) return true
  if ([body.code, body.status, body.status_code].some((status) => isStatus(Number(status)))) return true
  return Boolean(detail) || success === false || Boolean(body.error_code) || isFailure(body.status)
}

function isFailure(status: unknown): boolean {
  return typeof status === "string" && /^(?:error|failed|failure)$/i.test(status)
}

function isMessage(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !/^(?:success|ok)$/i.test(value)
}

/** iFlytek sends `code: 0` and `message: "Success"` in every chunk: https://www.xfyun.cn/doc/spark/HTTP%E8%B0%83%E7%94%A8%E6%96%87%E6%A1%A3.html */
function isSuccess(code: unknown): boolean {
  return code === 0 || code === "0" || code === 200 || code === "200"
}

function wordsOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  const words = typeof value === "string" ? value : JSON.stringify(value)
  return words === "" ? undefined : words.slice(0, MAX_MESSAGE)
}

/** A code that is safe to show: one word or a number, not a sentence. */
function isCode(value: unknown): value is string | number {
  return typeof value === "number" || (typeof value === "string" && /^[\w.-]{1,64}$/.test(value))
}

function isStatus(value: number): boolean {
  return Number.isInteger(value) && value >= 400 && value < 600
}
