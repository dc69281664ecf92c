/** What `p2 init` writes. A test starts a server with it. */
export const CONFIG_TEMPLATE = `// Configuration of \`p2 serve\`. JSON with comments. Every field: docs/serve.md of @p2/cli.
{
  // The address of the server. Only programs on this machine can reach 127.0.0.1.
  "listen": "127.0.0.1:4100",

  // The store that counts spending: a SQLite file for one machine, redis:// or postgres:// for several instances.
  // An address with a password comes from the variable P2_STORE instead.
  "store": "file:p2.db",

  // Every call must fit every limit. Dollars, per user, tag, client, model, or in total.
  "limits": [
    { "scope": "total", "limit": "100.00", "per": "month", "alertAt": [0.5, 0.8, 1] },
    { "scope": "user", "limit": "5.00", "per": "day", "timeZone": "UTC" }
    // { "scope": { "tag": "team" }, "limit": "50.00", "per": "week", "optional": true }
  ],

  // The providers, by the first segment of the path: http://127.0.0.1:4100/openai/v1.
  // Never write a key here: "keyFrom" is the name of the environment variable that contains the key.
  "upstreams": {
    "openai": { "keyFrom": "OPENAI_API_KEY" }
    // "anthropic": { "keyFrom": "ANTHROPIC_API_KEY" },
    // "gemini": { "keyFrom": "GEMINI_API_KEY" }
  },

  // The models that calls may use. Default: every model that has a price.
  // "models": ["gpt-4o-mini"],

  // The output limit for calls that set none. Without it, p2 reserves the model's maximum output.
  "maxOutputTokens": 4096,

  // Lowers the output limit of a call to what the limits can still pay, instead of denying the call.
  // "clampTo": "budget",

  // How long a call may wait for amounts that other calls have reserved.
  // "wait": "10s",

  // The webhooks that receive thresholds of "alertAt". "secretFrom" is the variable with the signing secret.
  // "alerts": [{ "url": "https://example.com/p2", "secretFrom": "P2_ALERT_SECRET" }],

  // Serves the dashboard at /dashboard, and prints a link to it at startup.
  "dashboard": false
}
`
