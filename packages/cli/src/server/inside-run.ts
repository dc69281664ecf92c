import { P2Error } from "@p2/core"

/** Rejects a command inside `p2 run`, where a capped program could otherwise lift its own cap. @throws P2Error */
export function refuseInsideRun(command: string, env: NodeJS.ProcessEnv = process.env): void {
  if (env.P2_RUN === undefined || env.P2_RUN === "") return
  throw new P2Error(`\`p2 ${command}\` does not work inside \`p2 run\`. Run it from another shell.`, {
    code: "inside-run",
    kind: "usage",
  })
}
