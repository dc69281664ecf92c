import type {
  AnswerFormat,
  CustomToolDefinition,
  Message,
  MessageInput,
  RequestOptions,
  ToolDefinition,
} from "@p2/core"
import { countRequestTokens } from "@p2/tokens"
import type { OpenAI } from "openai"
import type { OpenAI as OpenAI7 } from "openai7"
import { expectTypeOf, test } from "vitest"
import { LLMClient } from "../src/index"

type Params = OpenAI.ChatCompletionCreateParamsNonStreaming
type Params7 = OpenAI7.ChatCompletionCreateParamsNonStreaming

test("messages of the official SDK are messages of p2, and the reverse", () => {
  expectTypeOf<OpenAI.ChatCompletionMessageParam>().toExtend<Message>()
  expectTypeOf<Message>().toExtend<OpenAI.ChatCompletionMessageParam>()
  expectTypeOf<OpenAI7.ChatCompletionMessageParam>().toExtend<MessageInput>()
  expectTypeOf<Message>().toExtend<OpenAI7.ChatCompletionMessageParam>()
  expectTypeOf<Message[]>().toExtend<Params["messages"]>()
  expectTypeOf<Message[]>().toExtend<Params7["messages"]>()
  // The message of a response is a message of the next request.
  expectTypeOf<OpenAI.ChatCompletionMessage>().toExtend<Message>()
  expectTypeOf<OpenAI7.ChatCompletionMessage>().toExtend<Message>()
})

test("tools and response formats too", () => {
  expectTypeOf<OpenAI.ChatCompletionTool>().toExtend<ToolDefinition | CustomToolDefinition>()
  expectTypeOf<ToolDefinition | CustomToolDefinition>().toExtend<OpenAI.ChatCompletionTool>()
  expectTypeOf<OpenAI7.ChatCompletionTool>().toExtend<ToolDefinition | CustomToolDefinition>()
  expectTypeOf<ToolDefinition | CustomToolDefinition>().toExtend<OpenAI7.ChatCompletionTool>()
  expectTypeOf<NonNullable<Params["response_format"]>>().toExtend<AnswerFormat>()
  expectTypeOf<AnswerFormat>().toExtend<NonNullable<Params["response_format"]>>()
  expectTypeOf<NonNullable<Params7["response_format"]>>().toExtend<AnswerFormat>()
  expectTypeOf<AnswerFormat>().toExtend<NonNullable<Params7["response_format"]>>()
})

test("the parameters of an SDK call are counted, and make a request, without a cast", () => {
  for (const params of [{} as Params, {} as Params7]) {
    countRequestTokens({
      model: params.model,
      messages: params.messages,
      tools: params.tools,
      answerFormat: params.response_format,
    })
    const { model, messages, temperature, top_p, frequency_penalty, presence_penalty, seed, stop, service_tier } =
      params
    const options: RequestOptions = {
      model,
      messages,
      temperature,
      topP: top_p,
      frequencyPenalty: frequency_penalty,
      presencePenalty: presence_penalty,
      seed,
      stop,
      serviceTier: service_tier,
      maxTokens: params.max_completion_tokens,
    }
    const client = new LLMClient(options)
    client.msg.addPrompt(params.messages)
  }
  const client = new LLMClient({ model: "m" })
  const next: Params = { model: "m", messages: client.msg.getMessages() }
  expectTypeOf(next.messages).toEqualTypeOf<OpenAI.ChatCompletionMessageParam[]>()
})
