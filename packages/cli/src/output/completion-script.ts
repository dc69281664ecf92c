import type { Command, Option } from "commander"

/** A command with its options and arguments. */
interface CompletedCommand {
  name: string
  summary: string
  subcommands: readonly string[]
  options: readonly Option[]
}

/** A script that completes commands and options, and after `--` the commands of the system. */
export function completionScript(program: Command, shell: "bash" | "zsh" | "fish"): string {
  const commands = program.commands.map(completed)
  switch (shell) {
    case "bash":
      return bashScript(commands)
    case "zsh":
      return zshScript(commands)
    case "fish":
      return fishScript(commands)
  }
}

/** The options of subcommands are offered too. */
function completed(command: Command): CompletedCommand {
  const options = [command, ...command.commands].flatMap(({ options }) => options)
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    subcommands: command.commands.map((each) => each.name()),
    options: options.filter((option, index) => options.findIndex(({ long }) => long === option.long) === index),
  }
}

function wordsAfter({ subcommands, options }: CompletedCommand): string {
  return [...subcommands, ...options.flatMap(({ long }) => long ?? []), "--help"].join(" ")
}

function bashScript(commands: readonly CompletedCommand[]): string {
  return `# p2 completion for bash
_p2() {
  local word=\${COMP_WORDS[COMP_CWORD]} index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ \${COMP_WORDS[index]} == -- ]]; then
      if ((index == COMP_CWORD - 1)); then COMPREPLY=($(compgen -c -- "$word")); fi
      return
    fi
  done
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} --help --version" -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${commands.map((command) => `    ${command.name}) COMPREPLY=($(compgen -W "${wordsAfter(command)}" -- "$word")) ;;`).join("\n")}
  esac
}
complete -o default -F _p2 p2
`
}

/** No variable is called `commands`: zsh uses that name to complete the command after `--`. */
function zshScript(commands: readonly CompletedCommand[]): string {
  return `#compdef p2
_p2() {
  local -a own
  own=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command own
    return
  fi
  integer separator=\${words[(i)--]}
  if ((separator < CURRENT)); then
    shift $separator words
    ((CURRENT -= separator))
    _normal
    return
  fi
  case $words[2] in
${commands.map((command) => `    ${command.name}) compadd -- ${wordsAfter(command)} ;;`).join("\n")}
  esac
  _files
}
_p2 "$@"
`
}

function fishScript(commands: readonly CompletedCommand[]): string {
  const lines = commands.flatMap(({ name, summary, subcommands, options }) => [
    `complete -c p2 -n __fish_use_subcommand -f -a ${name} -d ${quote(summary)}`,
    ...subcommands.map((each) => `complete -c p2 -n '__fish_seen_subcommand_from ${name}' -f -a ${each}`),
    ...options.flatMap(({ long, description, required, optional }) =>
      long === undefined
        ? []
        : [
            `complete -c p2 -n '__fish_seen_subcommand_from ${name}' -l ${long.slice(2)} -d ${quote(description)}${required || optional ? " -r" : ""}`,
          ],
    ),
  ])
  return `# p2 completion for fish
${lines.join("\n")}
complete -c p2 -n 'test (commandline -opc)[-1] = --' -x -a '(complete -C (commandline -ct))'
`
}

/** Quotes a string for the shell, in single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
