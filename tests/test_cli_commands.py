"""Words that no command knows, and commands of other distributions."""

import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli_tools import run

import liftless
from liftless import cli
from liftless.cli import messages
from liftless.cli.command import Command, argument, switch


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["recovr"], "no such command: 'recovr'. Did you mean 'recover'?; see 'liftless --help'"),
        (["--versio"], "no such option: --versio. Did you mean '--version'?; see"),
        (["recover"], "the following arguments are required: FILE; see 'liftless recover --help'"),
        (["recover", "p.npz", "q.npz"], "one word too many: 'q.npz'"),
        (["recover", "p.npz", "--rnk", "1"], "no such option: --rnk. Did you mean '--rank'?"),
        (["recover", "p.npz", "--ran", "1"], "no such option: --ran. Did you mean '--rank'?"),
        (["recover", "p.npz", "--rank"], "--rank: expected one argument"),
        (["recover", "p.npz", "--rank", "1.5"], "--rank: '1.5' is not an integer"),
        (["recover", "p.npz", "--noise", "loud"], "--noise: 'loud' is not a number"),
        (["instance", "basic"], "the following arguments are required: --out"),
    ],
)
def test_a_mistyped_command_line_is_named_in_one_line(words: list[str], says: str) -> None:
    found = run(*words)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"error: {says}")
    assert found.err.count("\n") == 1


def test_the_program_alone_prints_its_help_and_version() -> None:
    alone, asked = run(), run("--help")
    assert (alone.code, alone.err) == (0, "")
    assert alone.out == asked.out
    for name in cli.COMMANDS:
        assert f"\n  {name} " in alone.out
    assert run("--version").out == f"liftless {liftless.__version__}\n"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["comp"], {"complete", "completion"}),
        (["recover", "--ra"], {"--rank"}),
        (["complete", "--sy"], {"--symmetric"}),
    ],
)
def test_a_shell_completes_commands_and_options(words: list[str], wanted: set[str]) -> None:
    script = run("completion", "bash").out
    line = " ".join(["liftless", *words])
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _liftless; echo ${{COMPREPLY[*]}}"
    found = subprocess.run(
        ["bash", "-c", f"{script}\n{ask}"], capture_output=True, text=True, check=True
    )
    assert wanted <= set(found.stdout.split())
    for shell in ("zsh", "fish"):
        assert (
            "--symmetric" in run("completion", shell).out
            or "-l symmetric" in run("completion", shell).out
        )
    assert "one of bash, zsh, fish" in run("completion", "bsh").err


@pytest.mark.parametrize("words", [["--weight", "-1e-3"], ["--weight=-1e-3"]])
def test_a_negative_number_is_a_value(words: list[str], tmp_path: Path) -> None:
    found = run("instance", "example-1", *words, "--out", tmp_path / "p.npz")
    assert found.err.startswith("error: weight was -0.001; it must be ")


@dataclass(frozen=True)
class Words:
    """What a command of the test takes."""

    text: str = argument("TEXT", "A text.")
    loud: bool = switch("In capitals.")


class Found:
    """An entry point of another distribution."""

    module = "elsewhere.cli"

    def __init__(self, command: Command | None) -> None:
        self.command = command

    def load(self) -> Command:
        if self.command is None:
            raise ImportError("no module named 'elsewhere'")
        return self.command


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    def say_it(given: Words) -> int:
        messages.emit(given.text.upper() if given.loud else given.text)
        return 3

    module = types.ModuleType("elsewhere_say")
    vars(module)["run"] = say_it
    monkeypatch.setitem(sys.modules, "elsewhere_say", module)
    say = Command("say", Words, "elsewhere_say", "Say a text.", "Say it.", "It ends.")
    found = {"say": Found(say), "broken": Found(None)}
    monkeypatch.setattr(cli, "_entry_points", lambda: found)


@pytest.mark.usefixtures("others")
def test_a_command_of_another_distribution() -> None:
    said = run("say", "this", "--loud")
    assert (said.code, said.out) == (3, "THIS\n")
    text = run("say", "--help").out
    assert "usage: liftless say [OPTIONS] TEXT" in text
    assert "In capitals." in text
    assert text.endswith("It ends.\n")


@pytest.mark.usefixtures("others")
def test_one_that_cannot_be_loaded_is_named_and_left_out() -> None:
    found = run("--help")
    assert found.code == 0
    assert "Say it." in found.out
    assert found.err.startswith("warning: the command 'broken' cannot be loaded: ")
    alone = run("broken")
    assert alone.code == 2
    assert "whose package elsewhere.cli can be imported" in alone.err


@pytest.mark.parametrize("name", ["reproduce", "compare", "list", "cite", "statements"])
def test_without_the_papers_their_commands_say_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_entry_points", dict)
    found = run(name, "all")
    assert (found.code, found.out) == (2, "")
    assert found.err == (
        f"error: command was {name!r}; it must be one that is installed. "
        "Install it with: pip install liftless-papers\n"
    )


@pytest.mark.parametrize("name", ["PEERS", "Peer", "Attempt"])
def test_names_that_have_moved_say_where_they_are(name: str) -> None:
    with pytest.raises(AttributeError, match=r"liftless_papers\.compare\.peers"):
        getattr(liftless, name)
