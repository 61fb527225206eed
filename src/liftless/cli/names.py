"""Suggestions for names that were mistyped."""

from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
    """Suggest the nearest of ``names``, or nothing."""
    import difflib

    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else ""
