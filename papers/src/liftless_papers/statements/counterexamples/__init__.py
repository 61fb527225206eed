"""Smallest counterexamples: a script each, which shows its numbers.

``python -m liftless_papers.statements.counterexamples.NAME`` runs one; each has a function
``numbers`` that returns them.
"""

from collections.abc import Mapping


def show(numbers: Mapping[str, float]) -> None:
    """Print numbers by their names."""
    for name, value in numbers.items():
        print(f"{name}: {value:.6g}")  # noqa: T201
