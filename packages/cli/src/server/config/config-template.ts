/** What `p2 init` writes. A test starts a server with it. */
export const CONFIG_TEMPLATE = `// Configuration of \`p2 serve\`. JSON with comments. Every field: docs/serve.md of @p2/cli.
{
  // Where the server listens. Only programs of this machine reach 127.0.0.1.
  "listen": "127.0.0.1:4100",

  // Where spending is counted: a SQLite file for one machine, redis:// or postgres:// for several instances.
  // An address with a password comes from the variable P2_STORE instead.
  "store": "file:p2.db",

  // Every call must fit every limit. Dollars, per user, tag, client, model, or in total.
  "limits": [
    { "scope": "total", "limit": "100.00", "per": "month", "alertAt": [0.5, 0.8, 1] },
    { "scope": "user", "limit": "5.00", "per": "day", "timeZone": "UTC" }
    // { "scope": { "tag": "team" }, "limit": "50.00", "per": "week", "optional": true }
  ],

  // The providers, by the first part of the path: http://127.0.0.1:4100/openai/v1.
  // Keys are never written here: "keyFrom" is the name of the variable that has the key.
  "upstreams": {
    "openai": { "keyFrom": "OPENAI_API_KEY" }
    // "anthropic": { "keyFrom": "ANTHROPIC_API_KEY" },
    // "gemini": { "keyFrom": "GEMINI_API_KEY" }
  },

  // The models that calls may name. Without this line: every model that has a price.
  // "models": ["gpt-4o-mini"],

  // The output limit of calls that set none, which would otherwise reserve the most that the model can write.
  "maxOutputTokens": 4096,

  // Lowers the output limit of a call to what the limits can still pay, instead of denying the call.
  // "clampTo": "budget",

  // How long a call waits while other calls have reserved the room.
  // "wait": "10s",

  // Where thresholds of "alertAt" are reported, signed with the secret in that variable.
  // "alerts": [{ "url": "https://example.com/p2", "secretFrom": "P2_ALERT_SECRET" }],

  // Shows where the money goes, at /dashboard. The link is printed at the start.
  "dashboard": false
}
`
