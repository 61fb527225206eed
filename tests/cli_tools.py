"""Run the command line inside the test's process, and make small problem files."""

import contextlib
import io
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liftless.__main__ import main
from liftless.instances import make_instance
from liftless.io import save_problem

# The tests compile into one cache of their own, never into the user's.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(tempfile.gettempdir()) / "liftless-test-cache")
)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def run(*argv: Any) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in argv])
    return Outcome(code, out.getvalue(), err.getvalue())


def strict_json(text: str) -> dict[str, Any]:
    assert text.count("\n") == 1

    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder, to compare before and after."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def real_world(path: Path, **extra: Any) -> Path:
    """The example of order 3 with six dense matrices, rank 1."""
    made = make_instance("real-world")
    arrays = {name: np.asarray(value) for name, value in extra.items()}
    save_problem(path, made.problem, made.truth, extra=arrays)
    return path


def wait_for(said: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether ``said`` becomes true; the time only bounds how long a failure takes."""
    end = time.monotonic() + seconds
    while not said() and time.monotonic() < end:
        time.sleep(0.005)
    return said()


def page(folder: Path, source: Path, *words: Any) -> str:
    """The page of a result, in one file that needs no other."""
    found = run("report", source, "--out", folder / "page.html", *words)
    assert found.code == 0, found.err
    text = (folder / "page.html").read_text(encoding="utf-8")
    # Nothing is fetched, nothing is run, and what a file says is text.
    assert "<script" not in text
    assert not re.search(r'(?:src|href)="(?!#|data:)', text)
    assert text.count("<svg") == 1
    return text
