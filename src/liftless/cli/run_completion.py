"""``liftless completion``: what a shell needs to complete the words of a command line."""

import dataclasses
from collections.abc import Mapping

from liftless._errors import InvalidInput
from liftless.cli.messages import emit
from liftless.cli.names import nearest
from liftless.cli.options import CompletionOptions

SHELLS = ("bash", "zsh", "fish")

BASH = """\
_liftless() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{commands} --help --version"
  else
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *) if [ "$COMP_CWORD" -eq 1 ]; then
         COMPREPLY=($(compgen -W "$words" -- "$word"))
       else
         COMPREPLY=($(compgen -f -- "$word"))
       fi ;;
  esac
}}
complete -o filenames -F _liftless liftless
"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def run(options: CompletionOptions) -> int:
    """Print the script of a shell."""
    if options.shell not in SHELLS:
        cure = nearest(options.shell, SHELLS)
        raise InvalidInput("shell", repr(options.shell), f"one of {', '.join(SHELLS)}", cure)
    emit(script(options.shell).rstrip())
    return 0


def script(shell: str) -> str:
    """Return what ``eval`` or ``source`` is to be given."""
    known = _options()
    if shell == "fish":
        lines = ["complete -c liftless -n __fish_use_subcommand -a '{}'".format(" ".join(known))]
        lines += [
            f"complete -c liftless -n '__fish_seen_subcommand_from {name}' -l {flag[2:]}"
            for name, flags in known.items()
            for flag in flags
        ]
        return "\n".join(lines)
    cases = "\n".join(f'      {name}) words="{" ".join(known[name])}" ;;' for name in known)
    text = BASH.format(commands=" ".join(known), cases=cases)
    return ZSH + text if shell == "zsh" else text


def _options() -> Mapping[str, list[str]]:
    """Options of every command, those of other distributions too."""
    from liftless.cli import COMMANDS, others
    from liftless.cli.command import flag_of

    found = {}
    for command in [*COMMANDS.values(), *others()]:
        flags = [flag_of(part) for part in dataclasses.fields(command.options)]
        found[command.name] = [flag for flag in flags if flag] + ["--help"]
    return found
