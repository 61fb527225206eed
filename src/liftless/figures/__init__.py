"""The pictures of one result.  They read what a run has recorded and compute nothing else.

matplotlib is the extra ``plot``: it is imported when something of this is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from liftless._errors import InvalidInput

if TYPE_CHECKING:
    from liftless.figures.phase import retrieval_figure
    from liftless.figures.recovery import course_rows, recovery_figure, save_figure

_HOMES = {
    "course_rows": "recovery",
    "recovery_figure": "recovery",
    "retrieval_figure": "phase",
    "save_figure": "recovery",
}

__all__ = ["course_rows", "recovery_figure", "retrieval_figure", "save_figure"]


def __getattr__(name: str) -> Any:
    """Load a function that draws, or say how to get what it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"liftless.figures.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        cure = "Install it with: pip install 'liftless[plot]'"
        raise InvalidInput("matplotlib", "missing", "installed to draw", cure) from None
