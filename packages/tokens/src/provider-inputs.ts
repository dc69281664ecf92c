export {
  type AddedTokens,
  CLAUDE_TOOLS_AS_OF,
  CLAUDE_TOOLS_SOURCES,
  type ClaudeToolChoice,
  claudeToolPromptTokens,
  claudeToolTokens,
} from "./request/claude-tools"
export { countImageTokens, type ImageTokens } from "./request/count-image"
export type { ImageSize } from "./request/image-size"
