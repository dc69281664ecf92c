import { integer } from "./format"
import type { Connection } from "./stream"

/** What prevents the page from showing everything. */
export function Notice(props: { connection: Connection; problem: string | null; dropped: number }) {
  const { connection, problem, dropped } = props
  const messages: string[] = []
  if (connection === "signed-out")
    messages.push("Signed out. Open the dashboard with a new link, which the program that serves the page prints.")
  if (connection === "lost") messages.push("Connection lost. The figures below are the last that the program sent.")
  if (problem !== null && connection === "live") messages.push(problem)
  if (dropped > 0)
    messages.push(
      `The store is full and has dropped its ${integer(dropped)} oldest entries; the sums do not include them.`,
    )
  return (
    <div role="alert">
      {messages.map((message) => (
        <p class="notice" key={message}>
          {message}
        </p>
      ))}
    </div>
  )
}
