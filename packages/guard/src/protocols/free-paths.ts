import type { CallDescription, ProtocolContext, ProviderCall } from "./protocol"
import { rejected } from "./rejection"
import { providerOf } from "./variants/called-model"

/** Calls that are never billed, or that are rejected because they start an unlimited charge. */
interface PathRule {
  methods: string
  /** The path after the base URL. */
  path: RegExp
  /** The provider whose pages say that the calls are free. @defaultValue every provider */
  at?: string
  /** Why there is no bound, and what to do; absent: the call is free. */
  rejected?: string
  /** The option `unknownEndpoints` lets it pass. @defaultValue false */
  mayPass?: boolean
}

/** The path of a base URL: up to a version or `/openai`, such as `/api/v1`, `/openai/v1` or `/v1beta/openai`. */
const BASE_PATH = /^(\/[^/]+)*?(\/(v\d\w*|openai))+(?=\/)/

const UNSUPPORTED = 'p2 does not bound it yet. Pass `unknownEndpoints: "pass"` to send such calls without a limit.'

/**
 * Paths at OpenAI and at providers with the same API. docs/openai.md has the source of each row. The first row that
 * matches decides; a path in no row is unknown.
 */
const PATH_RULES: readonly PathRule[] = [
  { methods: "GET", path: /^\/models(\/.+)?$/ },
  { methods: "DELETE", path: /^\/models\/.+$/ },
  { methods: "POST", path: /^\/moderations$/, at: "openai" },
  { methods: "GET DELETE", path: /^\/files(\/[^/]+(\/content)?)?$/ },
  { methods: "POST", path: /^\/(files|uploads(\/[^/]+\/(parts|complete|cancel))?)$/, at: "openai" },
  { methods: "GET POST DELETE", path: /^\/conversations(\/[^/]+(\/items(\/[^/]+)?)?)?$/, at: "openai" },
  { methods: "GET POST DELETE", path: /^\/chat\/completions\/[^/]+(\/messages)?$/, at: "openai" },
  { methods: "GET", path: /^\/chat\/completions$/ },
  { methods: "GET", path: /^\/vector_stores(\/[^/]+(\/(files|file_batches)(\/[^/]+(\/(content|files))?)?)?)?$/ },
  { methods: "DELETE", path: /^\/vector_stores\/[^/]+(\/files\/[^/]+)?$/ },
  { methods: "GET DELETE", path: /^\/containers(\/[^/]+(\/files(\/[^/]+(\/content)?)?)?)?$/ },
  { methods: "GET", path: /^\/(batches|fine_tuning\/jobs)(\/[^/]+(\/(events|checkpoints))?)?$/ },
  { methods: "POST", path: /^\/(batches|fine_tuning\/jobs)\/[^/]+\/cancel$/, at: "openai" },
  // OpenRouter
  { methods: "GET", path: /^\/(generation|credits|key|providers|auth\/key|endpoints\/zdr)$/ },
  {
    methods: "POST",
    path: /^\/vector_stores(\/.+)?$/,
    rejected:
      "The cost of a vector store has no upper bound: its storage is billed by the day until it is deleted. Create it without p2.",
  },
  {
    methods: "POST",
    path: /^\/containers(\/[^/]+\/files)?$/,
    rejected:
      'The cost of a container has no upper bound: each session is billed. Send `container: { type: "auto" }` in the call that runs the code.',
  },
  {
    methods: "POST",
    path: /^\/batches$/,
    rejected: `The cost of a batch of this provider has no upper bound. ${UNSUPPORTED}`,
    mayPass: true,
  },
  {
    methods: "POST",
    path: /^\/fine_tuning\/jobs$/,
    rejected: "The cost of fine-tuning has no upper bound: training is not priced. Start it without p2.",
  },
  {
    methods: "POST",
    path: /^\/(videos|realtime|assistants|threads|evals)(\/.+)?$/,
    rejected: `The cost of this endpoint has no upper bound. ${UNSUPPORTED}`,
    mayPass: true,
  },
]

/**
 * Describes a call that runs no model. HEAD and OPTIONS have no answer that could be billed. A `data:` URL makes no request:
 * OpenAI's SDK fetches one before it sends a form.
 */
export function describePath({ method, url }: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  if (method === "HEAD" || method === "OPTIONS" || url.protocol === "data:") return { status: "free" }
  const relative = url.pathname.replace(BASE_PATH, "")
  const provider = providerOf(url, context)?.name
  const rule = PATH_RULES.find(
    ({ methods, path, at = provider }) => at === provider && methods.split(" ").includes(method) && path.test(relative),
  )
  if (rule === undefined) return undefined
  if (rule.rejected === undefined) return { status: "free" }
  return rejected(rule.mayPass ? "unknown-endpoint" : "unbounded-cost", rule.rejected)
}
