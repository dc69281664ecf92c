import type { LocalProvider } from "@p2/local-provider"

/** A real agent program, and how to give it a task that takes one call of its own tool. */
export interface Agent {
  /** Shown in the table. */
  title: string
  /** Its command, as in the program table of `p2 run`. */
  command: string
  npm: string
  version: string
  /** Arguments for a task without questions. */
  arguments(task: string): readonly string[]
  /** Variables that a user sets in addition to the key and the base URL. */
  env?: Readonly<Record<string, string>>
  /** Files of the user, below the home folder. */
  files?: Readonly<Record<string, unknown>>
  /** The variables with the key and the base URL of its provider, as a user sets them. */
  provider: ProviderVariables
  /** Its tool that writes a file. A string is the input of a custom tool. */
  tool: { name: string; write(file: string): Record<string, unknown> | string }
  /** Options that a small budget needs in addition to `--clamp`. */
  small?: { options?: readonly string[]; arguments?: readonly string[] }
}

interface ProviderVariables {
  key: string
  baseURL: string
  urlOf(provider: LocalProvider): string
}

const ANTHROPIC: ProviderVariables = {
  key: "ANTHROPIC_API_KEY",
  baseURL: "ANTHROPIC_BASE_URL",
  urlOf: ({ anthropicBaseURL }) => anthropicBaseURL,
}
const OPENAI: ProviderVariables = {
  key: "OPENAI_API_KEY",
  baseURL: "OPENAI_BASE_URL",
  urlOf: ({ baseURL }) => baseURL,
}
const GEMINI: ProviderVariables = {
  key: "GEMINI_API_KEY",
  baseURL: "GOOGLE_GEMINI_BASE_URL",
  urlOf: ({ geminiBaseURL }) => geminiBaseURL,
}

/** What the task asks for. */
export const CONTENT = "hello"

const CODEX = {
  ...{ command: "codex", npm: "@openai/codex", version: "0.171.0", provider: OPENAI },
  words: ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"],
}

export const AGENTS: readonly Agent[] = [
  {
    ...{ title: "claude", command: "claude", npm: "@anthropic-ai/claude-code", version: "2.1.197" },
    arguments: (task) => ["-p", task, "--allowedTools", "Write"],
    provider: ANTHROPIC,
    tool: { name: "Write", write: (file) => ({ file_path: file, content: CONTENT }) },
    // Its first prompt has 76,000 bytes, for which the hard bound is 137,000 tokens.
    small: { options: ["--input-bound", "provider"] },
  },
  {
    ...CODEX,
    title: "codex",
    arguments: (task) => [...CODEX.words, task],
    // The default model writes JavaScript that calls tools.
    tool: { name: "exec", write: (file) => `text(await tools.exec_command({ cmd: "printf ${CONTENT} > ${file}" }))` },
  },
  {
    ...CODEX,
    title: "codex -m gpt-5",
    arguments: (task) => [...CODEX.words, "-m", "gpt-5", task],
    tool: { name: "exec_command", write: (file) => ({ cmd: `printf ${CONTENT} > ${file}` }) },
    // Each hosted search may fill the context window again.
    small: { arguments: ["-c", 'web_search="disabled"'] },
  },
  {
    ...{ title: "opencode", command: "opencode", npm: "opencode-ai", version: "1.18.33" },
    arguments: (task) => ["run", "--model", "anthropic/claude-haiku-4-5", task],
    provider: ANTHROPIC,
    tool: { name: "write", write: (file) => ({ filePath: file, content: CONTENT }) },
  },
  {
    ...{ title: "opencode, openai", command: "opencode", npm: "opencode-ai", version: "1.18.33" },
    arguments: (task) => ["run", "--model", "openai/gpt-5-mini", task],
    provider: OPENAI,
    // It offers no `write` tool to OpenAI models.
    tool: {
      name: "bash",
      write: (file) => ({ command: `printf ${CONTENT} > ${file}`, description: "Writes the file" }),
    },
  },
  {
    ...{ title: "qwen", command: "qwen", npm: "@qwen-code/qwen-code", version: "0.15.10" },
    arguments: (task) => ["--yolo", "-p", task],
    env: { OPENAI_MODEL: "gpt-5-mini" },
    provider: OPENAI,
    tool: { name: "write_file", write: (file) => ({ file_path: file, content: CONTENT }) },
  },
  {
    ...{ title: "gemini", command: "gemini", npm: "@google/gemini-cli", version: "0.61.0" },
    arguments: (task) => ["--yolo", "--skip-trust", "-p", task],
    files: { ".gemini/settings.json": { security: { auth: { selectedType: "gemini-api-key" } } } },
    provider: GEMINI,
    tool: { name: "write_file", write: (file) => ({ file_path: file, content: CONTENT }) },
  },
]
