/** Bytes as a `data:` URL. */
export function toDataUrl(bytes: Uint8Array | ArrayBuffer, mediaType = "application/octet-stream"): string {
  const view = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)
  let binary = ""
  for (let start = 0; start < view.length; start += 8192)
    binary += String.fromCharCode(...view.subarray(start, start + 8192))
  return `data:${mediaType};base64,${btoa(binary)}`
}

/** The address itself, or bytes as a `data:` URL with their media type. */
export function toImageUrl(image: string | Uint8Array | ArrayBuffer): string {
  return typeof image === "string" ? image : toDataUrl(image, "image/png")
}
