// Redirects calls from the providers' hosts to the local provider, for the code in READMEs.
const { P2_LOCAL_PROVIDER: local } = process.env
const HOSTS = {
  "api.openai.com": "",
  "openrouter.ai": "",
  "api.anthropic.com": "/anthropic",
  "generativelanguage.googleapis.com": "/gemini",
}

const fetch = globalThis.fetch
globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input)
  // A server that the code itself started.
  if (url.hostname === "127.0.0.1") return fetch(input, init)
  const prefix = HOSTS[url.hostname]
  if (prefix === undefined) throw new Error(`The code in a README calls ${url.hostname}.`)
  const target = `${local}${prefix}${url.pathname}${url.search}`
  return fetch(input instanceof Request ? new Request(target, input) : target, init)
}
