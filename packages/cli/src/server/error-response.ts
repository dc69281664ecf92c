/** An error of the server itself, in a shape that OpenAI's and Anthropic's SDKs read. */
export function errorResponse(
  status: number,
  error: { code: string; type: string; message: string },
  headers: Record<string, string> = {},
): Response {
  return new Response(JSON.stringify({ type: "error", error: { ...error, param: null } }), {
    status,
    headers: { "content-type": "application/json", "x-should-retry": "false", ...headers },
  })
}
