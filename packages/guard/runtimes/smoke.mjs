import { createBudget, memoryStore } from "@p2/budget"
import { budgetErrorFrom, guardFetch, withBudget } from "@p2/guard"
import OpenAI from "openai"

/** Calls a model through a guard, and returns what happened. The same in every runtime. */
export async function smoke(baseURL) {
  const newBudget = (limit) => createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const budget = newBudget("1.00")
  const openaiFor = (each) =>
    new OpenAI({
      baseURL,
      apiKey: "local",
      fetch: guardFetch({ budget: each, provider: "openai" }),
      dangerouslyAllowBrowser: true,
    })
  const openai = openaiFor(budget)
  const call = {
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "Hi" }],
    max_completion_tokens: 100,
    service_tier: "default",
  }
  const balance = async (each) => {
    const [{ spentNanoUsd, reservedNanoUsd }] = await each.status()
    return `${spentNanoUsd} spent, ${reservedNanoUsd} reserved`
  }
  const result = {}

  const answer = await openai.chat.completions.create(call)
  result.json = [answer.choices[0].message.content, await balance(budget)]

  let text = ""
  for await (const chunk of await openai.chat.completions.create({ ...call, stream: true }))
    text += chunk.choices[0]?.delta.content ?? ""
  result.stream = [text, await balance(budget)]

  const left = newBudget("1.00")
  for await (const _ of await openaiFor(left).chat.completions.create({ ...call, model: "gpt-4.1-mini", stream: true }))
    break
  for (let tries = 0; tries < 100 && !(await balance(left)).endsWith(" 0 reserved"); tries++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  result.left = (await balance(left)).replace(/^[1-9]\d* /, "some ")

  const reason = await openaiFor(newBudget("0.00001"))
    .chat.completions.create(call)
    .catch((error) => error)
  result.denial = [reason.status, budgetErrorFrom(reason)?.code]

  const redirected = await openai.chat.completions
    .create({ ...call, user: "redirect" }, { maxRetries: 0 })
    .catch((error) => error)
  result.redirect = redirected instanceof Error

  try {
    const scoped = newBudget("1.00")
    await withBudget({ budget: scoped, subject: { userId: "ada" } }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      await openai.chat.completions.create(call)
    })
    result.scope = await balance(scoped)
  } catch (error) {
    result.scope = error.code
  }
  return result
}
