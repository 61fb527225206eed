"""The commands as ``liftless`` finds them, and the two distributions side by side."""

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from cli_tools import run

from liftless import cli
from liftless._version import __version__

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
COMMANDS = PROJECT["entry-points"][cli.GROUP]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_entry_point_is_the_command_of_its_name(name):
    command = EntryPoint(name, COMMANDS[name], cli.GROUP).load()
    assert command.name == name
    assert command.home.startswith("liftless_papers.")


def test_liftless_finds_them():
    assert set(COMMANDS) == set(cli.ELSEWHERE)
    text = run("--help").out
    for name in COMMANDS:
        assert f"\n  {name} " in text
        found = run(name, "--help")
        assert (found.code, found.err) == (0, "")
        assert found.out.startswith(f"usage: liftless {name} ")


def test_both_have_one_version():
    assert PROJECT["dependencies"] == [f"liftless[papers]=={__version__}"]
