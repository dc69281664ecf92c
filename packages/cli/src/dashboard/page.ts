import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"

/** No inline script or style, nothing from another origin, no HTML from strings. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "img-src", "connect-src"].map((directive) => `${directive} 'self'`),
  ...["base-uri", "form-action", "frame-ancestors"].map((directive) => `${directive} 'none'`),
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ")

/** Headers of every response. */
export const SECURITY_HEADERS = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "cache-control": "no-store",
} as const

/** A file of the page, and its URL with the hash of its content. */
export interface Asset {
  body: Buffer
  contentType: string
  hash: string
}

export interface Assets {
  script: Asset
  style: Asset
  icon: Asset
}

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0f766e"/><path d="M7 22h4V12H7zm7 0h4V7h-4zm7 0h4v-7h-4z" fill="#fff"/></svg>`

/** Reads the build of `client/`: next to the built program, or in `dist` when running from source. */
export async function readAssets(): Promise<Assets> {
  const [script, style] = await Promise.all([readBuilt("app.js"), readBuilt("app.css")])
  return {
    script: asset(script, "text/javascript; charset=utf-8"),
    style: asset(style, "text/css; charset=utf-8"),
    icon: asset(Buffer.from(ICON), "image/svg+xml"),
  }
}

async function readBuilt(name: string): Promise<Buffer> {
  const places = [`./dashboard-page/${name}`, `../../dist/dashboard-page/${name}`]
  for (const place of places) {
    const file = await readFile(new URL(place, import.meta.url)).catch(() => undefined)
    if (file !== undefined) return file
  }
  throw new Error(`The built file ${name} is missing.`)
}

function asset(body: Buffer, contentType: string): Asset {
  return { body, contentType, hash: createHash("sha256").update(body).digest("base64url").slice(0, 12) }
}

export interface PageOptions {
  basePath: string
  title: string
  assets: Assets
}

/** The page. Its content comes from the script. */
export function appPage({ basePath, title, assets }: PageOptions): string {
  // Not deferred: it sets the colors before the first paint.
  const head = `<script src="${basePath}/app.js?v=${assets.script.hash}"></script>`
  const body = `<div id="app" data-base="${basePath}" data-title="${escapeHtml(title)}"></div>
<noscript>The dashboard needs JavaScript.</noscript>`
  return document({ basePath, title: title === "" ? "p2" : `p2 · ${title}`, assets, head, body })
}

/** A page with a message, in the style of the dashboard. */
export function messagePage(
  { basePath, assets }: Omit<PageOptions, "title">,
  message: { heading: string; text: string; next?: string },
): string {
  const { heading, text, next } = message
  const link = next === undefined ? "" : `<p><a class="button" href="${next}">Open the dashboard</a></p>`
  // A redirect would still count as coming from the page that has the link, and the cookie would not be sent.
  const head = next === undefined ? "" : `<meta http-equiv="refresh" content="0; url=${next}">`
  const body = `<main class="message"><h1>${escapeHtml(heading)}</h1><p>${escapeHtml(text)}</p>${link}</main>`
  return document({ basePath, title: "p2", assets, head, body })
}

interface DocumentParts {
  basePath: string
  title: string
  assets: Assets
  head: string
  body: string
}

function document({ basePath, title, assets, head, body }: DocumentParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="${basePath}/icon.svg?v=${assets.icon.hash}" type="image/svg+xml">
<link rel="stylesheet" href="${basePath}/app.css?v=${assets.style.hash}">
${head}
</head>
<body>
${body}
</body>
</html>
`
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
}
