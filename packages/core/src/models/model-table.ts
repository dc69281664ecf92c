import { isModelId, parseModelId } from "./model-id"

/**
 * Where the maximum output tokens of a model come from:
 * - `listed`: a source states it for this model at this provider.
 * - `same model`: a source states it for the same model at another provider; this one may allow more.
 * - `context window`: no source states it, and an answer cannot exceed the window that it shares with the input.
 */
export type MaxOutputBasis = "listed" | "same model" | "context window"

/** A model that a provider serves, with its limits in tokens; a limit that no source states is absent. */
export interface ListedModel {
  /** `provider/name`. */
  readonly key: string
  readonly provider: string
  /** Maximum tokens of input and output together. */
  readonly contextWindow?: number
  /** Present if a source states a maximum for the input alone. */
  readonly maxInputTokens?: number
  readonly maxOutputTokens?: number
  /** Present with `maxOutputTokens`. */
  readonly maxOutputBasis?: MaxOutputBasis
}

/** A model whose context window is known. */
export type ModelWithWindow = ListedModel & { readonly contextWindow: number }

export interface ModelMatch {
  readonly model: ListedModel
  /** The variant of the id (`online`, `nitro`), unless the table lists it as a separate model (`…:free`). */
  readonly variant: string | undefined
}

/**
 * Models and their limits, read from text on first use. Lines of the text:
 * - `<provider>`, followed by ` 1` if names without the provider (`gpt-4o-mini`) are ids too;
 * - a tab, then a model of this provider: `<name> <context window> <maximum input> <maximum output> <flag>`, separated by
 *   tabs, without trailing tabs. A maximum output of `=` equals the context window; after `~`, it is that of the same model
 *   elsewhere. Flag `X`: the name without the provider is not an id, because several providers serve it.
 */
export class ModelTable {
  readonly #texts: readonly string[]
  #byId: ReadonlyMap<string, ListedModel> | undefined

  constructor(texts: readonly string[]) {
    this.#texts = texts
  }

  /** Returns every listed id: `provider/name`, and names that need no provider. */
  ids(): string[] {
    return [...this.#models().keys()]
  }

  /** Finds the model that a provider serves under an id; undefined if it is not listed. Never matches similar names. */
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
   * Finds a listed model whose limits apply to an id: the model itself, the same model behind a router or in a cloud, or the
   * base model of a fine-tuned model. Its price may differ.
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
