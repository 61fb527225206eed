"""The picture of one recovery.  It reads what a run has recorded and computes nothing.

matplotlib is the extra ``plot``: it is imported when something of this is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from liftless._errors import InvalidInput

if TYPE_CHECKING:
    from liftless.figures.recovery import course_rows, recovery_figure, save_figure

__all__ = ["course_rows", "recovery_figure", "save_figure"]


def __getattr__(name: str) -> Any:
    """Load a function that draws, or say how to get what it needs."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module("liftless.figures.recovery"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        cure = "Install it with: pip install 'liftless[plot]'"
        raise InvalidInput("matplotlib", "missing", "installed to draw", cure) from None
