import { keyVariablesOf, PROVIDERS } from "./providers"

/**
 * Variables with credentials of providers that `p2 run` does not cap, of clouds that sell models, and of p2 itself. A program
 * does not get them, unless `--pass-env` names them. As of 2026-11-30.
 */
const CREDENTIALS: readonly string[] = [
  // Further credentials of the providers in the table.
  ...["OPENAI_ADMIN_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_IDENTITY_TOKEN", "ANTHROPIC_IDENTITY_TOKEN_FILE"],
  ...["ANTHROPIC_ENVIRONMENT_KEY", "ANTHROPIC_WORK_SECRET", "ANTHROPIC_FOUNDRY_API_KEY", "CODESTRAL_API_KEY"],
  // Headers that SDKs add to each call, which may be credentials.
  ...["OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS"],
  // Other providers and gateways.
  ...["AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN", "OPENCODE_API_KEY", "CURSOR_API_KEY", "FACTORY_API_KEY"],
  ...["COPILOT_GITHUB_TOKEN", "GITHUB_COPILOT_TOKEN", "LITELLM_API_KEY", "LITELLM_MASTER_KEY", "LITELLM_PROXY_API_KEY"],
  ...["COHERE_API_KEY", "CO_API_KEY", "AI21_API_KEY", "REPLICATE_API_TOKEN", "REPLICATE_API_KEY"],
  ...["HF_TOKEN", "HUGGINGFACE_API_KEY", "HUGGINGFACEHUB_API_TOKEN", "HUGGING_FACE_HUB_TOKEN"],
  ...["DASHSCOPE_API_KEY", "QWEN_API_KEY", "BAILIAN_CODING_PLAN_API_KEY", "ZAI_API_KEY", "ZHIPUAI_API_KEY"],
  ...["KIMI_API_KEY", "MINIMAX_API_KEY", "SILICONFLOW_API_KEY", "NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"],
  ...["DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN", "NOVITA_API_KEY", "NEBIUS_API_KEY", "BASETEN_API_KEY"],
  ...["SAMBANOVA_API_KEY", "HYPERBOLIC_API_KEY", "ANYSCALE_API_KEY", "DATABRICKS_TOKEN", "WATSONX_APIKEY"],
  ...["WATSONX_API_KEY", "JINA_API_KEY", "ELEVENLABS_API_KEY", "DEEPGRAM_API_KEY", "STABILITY_API_KEY"],
  // Clouds.
  ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
  ...["AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"],
  ...["AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
  ...["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"],
  ...[
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_APPLICATION_CREDENTIALS_JSON",
  ],
  ...["GOOGLE_CLOUD_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN", "GOOGLE_VERTEX_API_KEY"],
  ...["AZURE_OPENAI_AD_TOKEN", "AZURE_AI_API_KEY", "AZURE_INFERENCE_CREDENTIAL", "AZURE_CLIENT_SECRET"],
  ...["AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_PASSWORD"],
  ...["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"],
  // The address of the store may have a password.
  ...["P2_STORE"],
]

/** Variables that send the calls of a program to a cloud instead of its provider. As of 2026-11-30. */
const DETOURS: readonly string[] = [
  ...["CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY", "ANTHROPIC_BEDROCK_BASE_URL"],
  ...["ANTHROPIC_VERTEX_BASE_URL", "ANTHROPIC_VERTEX_PROJECT_ID", "ANTHROPIC_FOUNDRY_BASE_URL"],
  ...["ANTHROPIC_FOUNDRY_RESOURCE", "AWS_BEDROCK_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"],
  ...["GOOGLE_GENAI_USE_GCA", "GOOGLE_VERTEX_BASE_URL"],
]

/** Every variable that is removed from the environment of a program. */
export const REMOVED_VARIABLES: ReadonlySet<string> = new Set([
  ...PROVIDERS.flatMap(keyVariablesOf),
  ...PROVIDERS.flatMap(({ headers = {} }) => Object.keys(headers)),
  ...CREDENTIALS,
  ...DETOURS,
])

/** Variables that hold the name or the location of a credential, and so are not secret. */
const NAMES_A_CREDENTIAL = /_(PROFILE|FILE|URI|ARN|PATH|ID)$|^GOOGLE_APPLICATION_CREDENTIALS$/

/** Shorter values, such as a profile name, are found everywhere. */
const MIN_SECRET_LENGTH = 12

/** A variable, and the secret in it. */
export interface Secret {
  variable: string
  value: string
}

/** The secrets of an environment: the values of the variables that a program does not get. */
export function secretsIn(env: NodeJS.ProcessEnv, passed: ReadonlySet<string>): Secret[] {
  return [...REMOVED_VARIABLES].flatMap((variable) => {
    const value = env[variable]?.trim() ?? ""
    const isNamed = !passed.has(variable) && !DETOURS.includes(variable) && !NAMES_A_CREDENTIAL.test(variable)
    const isSecret = isNamed && value.length >= MIN_SECRET_LENGTH
    return isSecret ? [{ variable, value }] : []
  })
}
