import { isModelId, parseModelId } from "./model-id"

/**
 * How the most output tokens of a model are known:
 * - `listed`: a source states it for this model at this provider.
 * - `same model`: a source states it for the same model at another provider; this one may allow more.
 * - `context window`: no source states it, and an answer cannot be longer than the window it shares with the input.
 */
export type MaxOutputBasis = "listed" | "same model" | "context window"

/** A model that a provider serves, with its limits in tokens; a limit that no source states is absent. */
export interface ListedModel {
  /** `provider/name`. */
  readonly key: string
  readonly provider: string
  /** Input and output together. */
  readonly contextWindow?: number
  /** Where a source states that the input may be no longer than this. */
  readonly maxInputTokens?: number
  readonly maxOutputTokens?: number
  /** Present with `maxOutputTokens`. */
  readonly maxOutputBasis?: MaxOutputBasis
}

/** A model of which the context window is known. */
export type ModelWithWindow = ListedModel & { readonly contextWindow: number }

export interface ModelMatch {
  readonly model: ListedModel
  /** The variant of the id (`online`, `nitro`), unless the table lists it as a model of its own (`…:free`). */
  readonly variant: string | undefined
}

/**
 * Models and their limits, read from text on first use. Lines of the text:
 * - `<provider>`, followed by ` 1` if names without the provider (`gpt-4o-mini`) are ids too;
 * - a tab, then a model of this provider: `<name> <context window> <most input> <most output> <flag>`, separated by tabs,
 *   trailing tabs left out. A most output of `=` is the context window; one after `~` is that of the same model elsewhere.
 *   Flag `X`: the name without the provider is not an id, because several providers serve it.
 */
export class ModelTable {
  readonly #texts: readonly string[]
  #byId: ReadonlyMap<string, ListedModel> | undefined

  constructor(texts: readonly string[]) {
    this.#texts = texts
  }

  /** Every id that is listed: `provider/name`, and names that need no provider. */
  ids(): string[] {
    return [...this.#models().keys()]
  }

  /** What the provider serves under an id, or undefined if that is not listed. Never a model with a similar name. */
  find(id: string): ModelMatch | undefined {
    if (!isModelId(id)) return undefined
    const parsed = parseModelId(id)
    const own = this.#firstOf(parsed.keys)
    if (own !== undefined) return { model: own, variant: undefined }
    const { variant } = parsed
    if (variant === undefined) return undefined
    const plain = this.#firstOf(parseModelId(id.slice(0, -variant.length - 1)).keys)
    return plain && { model: plain, variant }
  }

  /**
   * The listed model with a context window whose limits hold for an id: also the same model behind a router or in a
   * cloud, and the base model of a fine-tuned one. Not for prices.
   */
  findLimits(id: string): ModelWithWindow | undefined {
    if (!isModelId(id)) return undefined
    const models = this.#models()
    return parseModelId(id)
      .modelKeys.map((key) => models.get(key))
      .find((model): model is ModelWithWindow => model?.contextWindow !== undefined)
  }

  #firstOf(keys: readonly string[]): ListedModel | undefined {
    const models = this.#models()
    return keys.map((key) => models.get(key)).find((model) => model !== undefined)
  }

  #models(): ReadonlyMap<string, ListedModel> {
    this.#byId ??= readModels(this.#texts)
    return this.#byId
  }
}

function readModels(texts: readonly string[]): ReadonlyMap<string, ListedModel> {
  const byId = new Map<string, ListedModel>()
  const bareNames = new Map<string, ListedModel>()
  let provider = ""
  let hasBareNames = false
  for (const line of texts.join("\n").split("\n")) {
    if (line.startsWith("\t")) {
      const [, name = "", ...fields] = line.split("\t")
      const model = readModel(provider, name, fields)
      byId.set(model.key, model)
      if (hasBareNames && fields[3] !== "X" && !name.includes("/")) bareNames.set(name, model)
    } else {
      provider = line.replace(/ 1$/, "")
      hasBareNames = line.endsWith(" 1")
    }
  }
  return new Map([...byId, ...bareNames])
}

function readModel(provider: string, name: string, [context, input, output]: string[]): ListedModel {
  return {
    key: `${provider}/${name}`,
    provider,
    ...(context && { contextWindow: Number(context) }),
    ...(input && { maxInputTokens: Number(input) }),
    ...readMaxOutput(output, context),
  }
}

function readMaxOutput(
  output: string | undefined,
  context: string | undefined,
): Pick<ListedModel, "maxOutputTokens" | "maxOutputBasis"> {
  if (!output) return {}
  if (output === "=") return { maxOutputTokens: Number(context), maxOutputBasis: "context window" }
  if (output.startsWith("~")) return { maxOutputTokens: Number(output.slice(1)), maxOutputBasis: "same model" }
  return { maxOutputTokens: Number(output), maxOutputBasis: "listed" }
}
