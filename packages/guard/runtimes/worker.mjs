import { smoke } from "./smoke.mjs"

export default {
  async fetch(request) {
    try {
      return Response.json(await smoke(new URL(request.url).searchParams.get("baseURL")))
    } catch (error) {
      return Response.json({ failed: `${error.stack}\n${error.cause?.stack}` })
    }
  },
}
