/**
 * One message of a conversation, in the shape of OpenAI's chat completions API, which the compatible endpoints of other
 * providers accept as well. Plain data.
 */
export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

export interface SystemMessage {
  role: "system" | "developer"
  content: string | TextPart[]
  name?: string | undefined
}

export interface UserMessage {
  role: "user"
  content: string | ContentPart[]
  name?: string | undefined
}

export interface AssistantMessage {
  role: "assistant"
  content?: string | (TextPart | RefusalPart)[] | null | undefined
  refusal?: string | null | undefined
  name?: string | undefined
  tool_calls?: ToolCall[] | undefined
}

export interface ToolMessage {
  role: "tool"
  content: string | TextPart[]
  tool_call_id: string
}

export interface ToolCall {
  id: string
  type: "function"
  function: { name: string; arguments: string }
}

/** A function that the model may call, in the shape of the API. `parameters` is a JSON Schema. */
export interface ToolDefinition {
  type: "function"
  function: {
    name: string
    description?: string | undefined
    parameters?: Record<string, unknown> | undefined
    strict?: boolean | null | undefined
  }
}

export type ContentPart = TextPart | ImagePart | FilePart | AudioPart

/** A part of an assistant message in which the model declined to answer. */
export interface RefusalPart {
  type: "refusal"
  refusal: string
}

export interface TextPart {
  type: "text"
  text: string
}

export interface ImagePart {
  type: "image_url"
  /** `url` is an http(s) or `data:` URL. Only a `data:` URL reveals the image's size in pixels. */
  image_url: { url: string; detail?: "auto" | "low" | "high" | undefined }
}

export interface FilePart {
  type: "file"
  file: { file_data?: string | undefined; file_id?: string | undefined; filename?: string | undefined }
}

export interface AudioPart {
  type: "input_audio"
  input_audio: { data: string; format: "wav" | "mp3" }
}

/** The format of the answer, as sent in `response_format`. */
export type AnswerFormat =
  | { type: "text" }
  | { type: "json_object" }
  | {
      type: "json_schema"
      json_schema: {
        name: string
        description?: string | undefined
        schema: Record<string, unknown>
        strict?: boolean | null | undefined
      }
    }
