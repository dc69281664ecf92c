export { readAnthropicUsage } from "./usage/anthropic"
export { type GeminiSearches, readGeminiUsage } from "./usage/gemini"
export { readOpenAIChatUsage } from "./usage/openai-chat"
export {
  readOpenAIEmbeddingsUsage,
  readOpenAIImagesUsage,
  readOpenAISpeechUsage,
  readOpenAITranscriptionUsage,
} from "./usage/openai-media"
export { readOpenAIResponsesUsage } from "./usage/openai-responses"
export { largerReading, type ReportedUsage, type UsageReading } from "./usage/read-usage"
