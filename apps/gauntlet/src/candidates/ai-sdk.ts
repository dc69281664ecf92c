import { createOpenAI } from "@ai-sdk/openai"
import { generateText, type StepResult, type StopCondition, streamText, type ToolSet } from "ai"
import { MODEL } from "../billing-provider"
import { type Definition, signalOf } from "../candidate"

/**
 * The condition `budgetExceeded` of the AI SDK's page on loop control. It limits one agent run and shares nothing, so each lane
 * is one run with an equal part of the limit, and each call is a step of it.
 */
export const aiSdk: Definition = {
  name: "AI SDK, `stopWhen`",
  packageName: "ai",
  isShared: false,
  async create({ baseURL, limitTokens, processes, lanes }) {
    const openai = createOpenAI({ baseURL, apiKey: "local" })
    const model = openai.chat(MODEL)
    const limit = limitTokens / (processes * lanes)
    const runs = new Map<number, StepResult<ToolSet>[]>()
    const budgetExceeded: StopCondition<ToolSet> = ({ steps }) => tokensOf(steps) > limit
    return {
      async ask(call, lane) {
        const steps = runs.get(lane) ?? []
        runs.set(lane, steps)
        if (await budgetExceeded({ steps } as never)) return "denied"
        const options = {
          model,
          prompt: call.prompt,
          maxOutputTokens: call.maxTokens,
          ...(call.abortAfterMs !== undefined && { abortSignal: signalOf(call)! }),
        }
        if (!call.isStream) {
          steps.push(...(await generateText(options)).steps)
          return "answered"
        }
        const result = streamText({ ...options, onError: () => {} })
        let count = 0
        for await (const _ of result.textStream) if (++count === call.leaveAfterChunks) return "answered"
        steps.push(...(await result.steps))
        return "answered"
      },
      countedTokens: async () => [...runs.values()].reduce((sum, steps) => sum + tokensOf(steps), 0),
      close: async () => {},
    }
  },
}

function tokensOf(steps: readonly StepResult<ToolSet>[]): number {
  return steps.reduce((sum, { usage }) => sum + (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0), 0)
}
