"""Pictures of results.  They read what a run has recorded and compute nothing.

matplotlib is the extra ``plot``: it is imported when something of this is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from liftless._errors import needing

if TYPE_CHECKING:
    from liftless.figures.network import grid_figure, location_figure
    from liftless.figures.phase import retrieval_figure
    from liftless.figures.recovery import (
        course_rows,
        draw_matrix,
        draw_recovery,
        draw_spectrum,
        recovery_figure,
        save_figure,
        stored_figure,
        svg_text,
    )
    from liftless.figures.state import state_figure
    from liftless.figures.table import table_figure

#: Module of each name, where it is not ``recovery``.
_HOMES = {
    "grid_figure": "network",
    "location_figure": "network",
    "retrieval_figure": "phase",
    "state_figure": "state",
    "table_figure": "table",
}

__all__ = [
    "course_rows",
    "draw_matrix",
    "draw_recovery",
    "draw_spectrum",
    "grid_figure",
    "location_figure",
    "recovery_figure",
    "retrieval_figure",
    "save_figure",
    "state_figure",
    "stored_figure",
    "svg_text",
    "table_figure",
]


def __getattr__(name: str) -> Any:
    """Load a function that draws, or say how to get what it needs."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "recovery")
    with needing("matplotlib", "plot", "installed to draw"):
        return getattr(importlib.import_module(f"liftless.figures.{home}"), name)
