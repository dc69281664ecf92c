/** Hosts whose name contains the region, as the first group. */
const REGIONAL_HOSTS: readonly RegExp[] = [
  // https://developers.openai.com/api/docs/guides/data-residency
  /^([a-z]{2})\.api\.openai\.com$/,
  // https://docs.x.ai/developers/advanced-api-usage/regions
  /^([a-z]{2})\.api\.x\.ai$/,
  // https://docs.together.ai/docs/serverless/geo-specific-inference
  /^([a-z]{2})-api\.together\.(?:ai|xyz)$/,
]

/** Global hosts of the same providers. */
const GLOBAL_HOSTS: readonly string[] = ["api.openai.com", "api.x.ai", "api.together.ai", "api.together.xyz"]

/**
 * Returns the region of a base URL of OpenAI, xAI or Together, for the option `region`; undefined if the URL does not say.
 * Anthropic's region is `inference_geo` in the body, or a setting of the workspace.
 *
 * @example
 * regionOfURL("https://eu.api.openai.com/v1") // "eu"
 * regionOfURL("https://api.openai.com/v1") // "global"
 * regionOfURL("https://api.anthropic.com") // undefined
 */
export function regionOfURL(baseURL: string): string | undefined {
  if (!URL.canParse(baseURL)) return undefined
  const { hostname } = new URL(baseURL)
  if (GLOBAL_HOSTS.includes(hostname)) return "global"
  return REGIONAL_HOSTS.map((host) => host.exec(hostname)?.[1]).find((region) => region !== undefined)
}
