"""The command line as a process: imports, cache, colours, broken pipes, and Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_tools import contents, run, strict_json, wait_for

from liftless._ends import Interrupt
from liftless.cli import compilation, messages
from liftless.io import load_factor

#: A program that runs the command line, with Ctrl-C as on a terminal.
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from liftless.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.mark.parametrize("words", [["--help"], ["recover", "--help"], ["--version"], ["recovr"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from liftless.__main__ import main; main(sys.argv[1:]); "
        "print([m for m in ('jax', 'numpy', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


# -- surroundings ---------------------------------------------------------------------------------


def test_the_cache_is_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/jax")
    monkeypatch.setenv("LIFTLESS_CACHE_DIR", "/mine")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compilation.cache_directory() == Path("/mine")
    monkeypatch.delenv("LIFTLESS_CACHE_DIR")
    assert compilation.cache_directory() == Path("/jax")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    assert compilation.cache_directory() == tmp_path / "liftless"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compilation.cache_directory() == tmp_path / ".cache" / "liftless"


@pytest.mark.parametrize("quiet", [False, True])
def test_without_a_cache_it_goes_on(
    quiet: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIFTLESS_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert compilation.enable_cache(quiet) is None
    assert capsys.readouterr().err.startswith("note: no compilation cache") is not quiet


@pytest.mark.parametrize("no_colour", [False, True])
def test_colour_only_where_it_is_wanted(no_colour: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1" if no_colour else "")
    assert (messages.coloured("exact", 0) == "exact") is no_colour


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_interrupt_only_asks(number: int, capsys: Any) -> None:
    before = signal.getsignal(number)
    signal.signal(number, signal.default_int_handler)
    try:
        with Interrupt() as outer, Interrupt() as interrupt:
            assert not interrupt.asked
            signal.raise_signal(number)
            assert wait_for(lambda: interrupt.asked)
            assert not outer.asked
        assert signal.getsignal(number) is signal.default_int_handler
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.signal(number, before)
    assert capsys.readouterr().err.startswith("interrupt: ")


@pytest.mark.parametrize("word", ["--version", "info"])
def test_a_reader_that_goes_away_is_no_trouble(word: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, word], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent there")
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c(presses: int, tmp_path: Path) -> None:
    problem, out = tmp_path / "p.npz", tmp_path / "r.npz"
    words = ["--n", "30", "--rank", "2", "--ratio", "1.02", "--seed", "0"]
    assert run("instance", "gaussian", *words, "--out", problem, "--quiet").code == 0
    command = ["recover", str(problem), "--budget", "1000000000", "--out", str(out), "--json"]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stderr is not None
        # Signs of life come by the clock, before the first line that has news.
        while (line := child.stderr.readline()).startswith("at work for "):
            pass
        assert "applications" in line
        for _ in range(presses):
            child.send_signal(signal.SIGINT)
            while (line := child.stderr.readline()) and "interrupt" not in line:
                pass
        printed, complaint = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 75
    assert "Traceback" not in complaint
    if presses == 2:
        assert set(contents(tmp_path)) <= {"p.npz", "r.npz"}
        return
    assert set(contents(tmp_path)) == {"p.npz", "r.npz"}
    assert strict_json(printed)["status"] == 75
    assert load_factor(out).shape == (30, 2)
    with np.load(out, allow_pickle=False) as data:
        assert int(data["status"]) == 75
