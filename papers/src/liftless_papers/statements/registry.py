"""The entries, read once, and found by name."""

import functools
import tomllib
from importlib import resources
from typing import Any

from liftless._errors import InvalidInput
from liftless.cli.names import nearest
from liftless_papers.experiments.papers import SOURCES
from liftless_papers.statements.base import Evidence, Statement

#: What a table of the files may have, and must have.
FIELDS = {"name", "kind", "place", "text", "verdict", "change", "counterexample", "evidence"}
NEEDED = {"name", "kind", "place", "text", "verdict"}


@functools.cache
def statements() -> tuple[Statement, ...]:
    """All statements, by paper and in the order of the files.

    Raises
    ------
    ValueError
        If an entry has an unknown field, lacks one, or has the name of another.
    """
    files = sorted(
        resources.files("liftless_papers.statements").joinpath("data").iterdir(),
        key=lambda entry: (SOURCES.index(entry.name.partition("_")[0]), entry.name),
    )
    found: dict[str, Statement] = {}
    for file in files:
        for entry in tomllib.loads(file.read_text("utf-8"))["statement"]:
            one = _statement(entry, file.name)
            if one.name in found:
                raise ValueError(f"{file.name}: {one.name} is there twice")
            found[one.name] = one
    return tuple(found.values())


def _statement(entry: dict[str, Any], file: str) -> Statement:
    name = entry.get("name", "(no name)")
    if wrong := (set(entry) - FIELDS) | (NEEDED - set(entry)):
        raise ValueError(f"{file}: {name}: fields unknown or missing: {', '.join(sorted(wrong))}")
    if not name.startswith(f"{file.partition('_')[0]}-"):
        raise ValueError(f"{file}: {name} is the name of another paper's statement")
    evidence = tuple(_evidence(one, name) for one in entry.get("evidence", ()))
    rest = {key: " ".join(entry.get(key, "").split()) for key in FIELDS - {"evidence"}}
    return Statement(evidence=evidence, **rest)


def _evidence(words: str, name: str) -> Evidence:
    """Read ``says | source | where | text``, the last two only where it is an experiment."""
    parts = [part.strip() for part in words.split(" | ")]
    if not 2 <= len(parts) <= 4:
        raise ValueError(f"{name}: evidence is 'says | source | where | text', not {words!r}")
    says, source, where, text = (*parts, "", "")[:4]
    return Evidence(source, where, text, says)


def find(name: str | None) -> list[Statement]:
    """Statements of a paper or our own, or the one of that name; all of them for None.

    Raises
    ------
    InvalidInput
        If there is neither a paper nor a statement of that name.
    """
    if name is None:
        return list(statements())
    found = [one for one in statements() if name in (one.paper, one.name)]
    if not found:
        must = f"a statement, a paper, or own: {', '.join(SOURCES)}"
        names = [*SOURCES, *(one.name for one in statements())]
        cure = nearest(name, names) or "'liftless statements' shows them."
        raise InvalidInput("name", repr(name), must, cure)
    return found
