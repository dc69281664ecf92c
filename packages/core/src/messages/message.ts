/**
 * One message of a conversation, in the shape of OpenAI's chat completions API, which the compatible endpoints of other
 * providers accept as well. Plain data. The types of the official SDK are assignable to these, and these to them, even
 * under `exactOptionalPropertyTypes`.
 */
export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage

/**
 * A message as functions accept it: also with `detail: "original"`, which version 7 of the official SDK knows and version 6
 * does not.
 */
export type MessageInput =
  | Message
  | { role: "user"; content: string | (ContentPart | OriginalImagePart)[]; name?: string }

export interface SystemMessage {
  role: "system" | "developer"
  content: string | TextPart[]
  name?: string
}

export interface UserMessage {
  role: "user"
  content: string | ContentPart[]
  name?: string
}

export interface AssistantMessage {
  role: "assistant"
  content?: string | (TextPart | RefusalPart)[] | null
  refusal?: string | null
  name?: string
  tool_calls?: (ToolCall | CustomToolCall)[]
  /** The older form of a tool call. */
  function_call?: { name: string; arguments: string } | null
  /** The audio of an earlier answer, by its id. Its tokens have no upper bound. */
  audio?: { id: string } | null
}

export interface ToolMessage {
  role: "tool"
  content: string | TextPart[]
  tool_call_id: string
}

/** The older form of a tool's result. */
export interface FunctionMessage {
  role: "function"
  content: string | null
  name: string
}

export interface ToolCall {
  id: string
  type: "function"
  function: { name: string; arguments: string }
}

/** A call of a tool whose input is free text. */
export interface CustomToolCall {
  id: string
  type: "custom"
  custom: { name: string; input: string }
}

/** A function that the model may call, in the shape of the API. `parameters` is a JSON Schema. */
export interface ToolDefinition {
  type: "function"
  function: {
    name: string
    description?: string
    parameters?: Record<string, unknown>
    strict?: boolean | null
  }
}

/** A tool whose input is free text, or text of a grammar. */
export interface CustomToolDefinition {
  type: "custom"
  custom: {
    name: string
    description?: string
    format?: { type: "text" } | { type: "grammar"; grammar: { definition: string; syntax: "lark" | "regex" } }
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

/** The level of detail at which a model sees an image; it determines the price. */
export type ImageDetail = "auto" | "low" | "high"

export interface ImagePart {
  type: "image_url"
  /** `url` is an http(s) or `data:` URL. Only a `data:` URL reveals the image's size in pixels. */
  image_url: { url: string; detail?: ImageDetail }
}

interface OriginalImagePart {
  type: "image_url"
  image_url: { url: string; detail?: ImageDetail | "original" }
}

export interface FilePart {
  type: "file"
  file: { file_data?: string; file_id?: string; filename?: string }
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
        description?: string
        schema?: Record<string, unknown>
        strict?: boolean | null
      }
    }
