import type { Command } from "commander"

const HELP = `
Examples:
  $ p2 completion bash > /etc/bash_completion.d/p2
  $ p2 completion zsh > "\${fpath[1]}/_p2"
  $ p2 completion fish > ~/.config/fish/completions/p2.fish`

/** `p2 completion`. */
export function registerCompletion(program: Command): void {
  program
    .command("completion")
    .summary("print a completion script for a shell")
    .description("Prints a completion script for a shell.")
    .addArgument(program.createArgument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", HELP)
    .action(async (shell: "bash" | "zsh" | "fish") => {
      const { completionScript } = await import("../output/completion-script")
      process.stdout.write(completionScript(program, shell))
    })
}
