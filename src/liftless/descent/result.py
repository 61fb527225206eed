"""What a descent found."""

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from liftless._checks import is_traced
from liftless._errors import InvalidInput
from liftless.descent.stop import CONFIRMED, FITTED, STATIONARY, STATUS


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Descent:
    """Result of :func:`descend`; with k starts every array has a leading axis of length k.

    It may leave a caller's ``jit`` or ``vmap``: its fields are arrays, and words follow from them.

    Attributes
    ----------
    X : array of shape (n, r)
    objective, gradient_norm : float
        h(X) and ‖∇h(X)‖_F.
    iterations, status : int
        Steps taken and code of the reason, see ``message``.
    applications : int
        Applications of A or A* to one matrix, or passes through another function.
    rough : int
        Those of them that were in float32.
    history : dict of arrays
        Per iteration, if asked for: ``objective``, ``gradient_norm`` and, on demand, ``X``; entry
        0 is the start.
    """

    X: Any
    objective: Any
    gradient_norm: Any
    iterations: Any
    status: Any
    applications: Any
    rough: Any = 0
    history: dict[str, Any] = field(default_factory=dict)

    @property
    def success(self) -> Any:
        """Whether the run ended at one of its tolerances, or where the method was to end."""
        code = self.status
        return (code == FITTED) | (code == STATIONARY) | (code == CONFIRMED)

    @property
    def message(self) -> Any:
        """The reason in words; an array of strings where there are several runs."""
        return words(STATUS, self.status)


def words(table: dict[int, str], code: Any) -> Any:
    """Return the text of a code, or an array of texts of an array of codes."""
    if is_traced(code):
        must = "read outside of jit, vmap and grad"
        cure = "Return the result from the transformed function, and ask it then."
        raise InvalidInput("message", "asked for where its code is traced", must, cure)
    codes = np.asarray(code)
    if codes.ndim == 0:
        return table[int(codes)]
    return np.array([table[int(c)] for c in codes.ravel()]).reshape(codes.shape)
