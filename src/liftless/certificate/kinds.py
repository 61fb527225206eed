"""The kinds of point, and the certificate that says which one a point is, with the evidence."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from liftless._checks import is_traced
from liftless._errors import InvalidInput

#: The kinds of point, in words.  A point alone is never ``agreed``: a search says so.
KINDS = {
    "exact": "the data are fitted to round-off",
    "global": "optimal over all positive semidefinite matrices",
    "fitted": "the data are fitted within the noise given, or the digits that they have",
    "agreed": "the lowest level found, reached by unlike starts; this is no proof",
    "stationary": "a second-order point: neither proved optimal nor known not to be",
    "spurious": "a second-order point, and a lower one of the same rank is known",
    "saddle": "a stationary point with a direction of negative curvature",
    "unfinished": "not stationary to the accuracy that a verdict needs",
}
#: Code of each kind, in that order; up to the fourth a recovery counts as a success.
EXACT, GLOBAL, FITTED, AGREED, STATIONARY_POINT, SPURIOUS, SADDLE, UNFINISHED = range(len(KINDS))
NAMES = tuple(KINDS)

#: Why a point is unfinished, in words.
REASONS = {
    "": "",
    "gradient": "descend further",
    "undecided": "the least eigenvalue is too close to zero to call",
    "no minimiser": "the loss is least at infinity only: the matrix grows without end; add a Ridge",
    "budget": "the budget ended",
    "time": "the time ended",
    "round-off": "round-off is reached, and a larger budget changes nothing",
    "stopped": "the run was stopped",
}
#: Code of each reason, in that order.
DONE, GRADIENT, CLOSE, NO_MINIMISER, BUDGET, TIME, ROUND_OFF, STOPPED = range(len(REASONS))
WHY = tuple(REASONS)

#: ‖∇h‖ ‖X‖ / h below this counts as stationary.
STATIONARY = 1e-6
#: λ_n above minus this fraction of ‖S‖₂, and costing less than this fraction of h, counts as >= 0.
NONNEGATIVE = 1e-9
#: λ_n between this and the level above is too close to zero to call: descend further.
UNDECIDED = 1e-7
#: A level of h is lower than another one only by this fraction: hysteresis against round-off.
LOWER = 1e-6
#: A Hessian eigenvalue above minus this fraction of the largest counts as >= 0.
FLAT = 1e-7


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class Certificate:
    """Verdict on a point, with the evidence.

    It may leave a caller's ``jit`` or ``vmap``: its fields are numbers, and words follow from
    them.  Of several points every field has a leading axis, and every word is an array of words.

    Attributes
    ----------
    code : int
        Place of :attr:`kind` in :data:`KINDS`.
    why : int
        Place of :attr:`reason` in :data:`REASONS`.
    objective, relative_objective : float
        h(X), and its excess over the least conceivable value relative to the same at X = 0.
    gradient_norm, relative_gradient : float
        ‖∇h(X)‖_F, and ‖∇h‖ ‖X‖ / h (NaN at an exact fit, where it is round-off).
    lambda_n, u_n : float, array of shape (n,)
        Least eigenvalue of the slack ∇f(X Xᵀ) and its eigenvector (largest entry positive).
    hessian_least, hessian_largest : float
        Extreme eigenvalues of ∇²h(X); NaN if neither asked for nor needed.
    lower_bound, upper_bound : float
        lower <= min over M ⪰ 0 of the objective <= upper = h(X).
    assumed_trace : float
        τ where ``lower_bound`` assumes tr M <= τ; infinite where it assumes nothing.
    noise_level : float
        Objective up to which the data count as fitted; 0 where no noise was given.
    semidefinite : bool
        Whether the matrix is positive semidefinite; it is not where it is rectangular.
    """

    code: Any
    why: Any
    objective: Any
    relative_objective: Any
    gradient_norm: Any
    relative_gradient: Any
    lambda_n: Any
    u_n: Any
    hessian_least: Any
    hessian_largest: Any
    lower_bound: Any
    upper_bound: Any
    assumed_trace: Any
    noise_level: Any
    semidefinite: bool = dataclasses.field(default=True, metadata={"static": True})

    @property
    def certified(self) -> Any:
        """Whether the point is proved optimal over all matrices, of any rank."""
        return (self.code == EXACT) | (self.code == GLOBAL)

    @property
    def optimal(self) -> Any:
        """The same as ``certified``."""
        return self.certified

    @property
    def success(self) -> Any:
        """Whether the kind is ``exact``, ``global``, ``fitted`` or ``agreed``."""
        return self.code <= AGREED

    @property
    def reason(self) -> Any:
        """Why an ``unfinished`` point is that, one of :data:`REASONS`; else empty."""
        return self._each(lambda one: WHY[int(one.why)])

    @property
    def kind(self) -> Any:
        """One of :data:`KINDS`."""
        return self._each(lambda one: NAMES[int(one.code)])

    @property
    def assumption(self) -> Any:
        """What ``lower_bound`` assumes: "none", or "trace(M) <= τ"."""
        return self._each(_assumption)

    @property
    def message(self) -> Any:
        """The verdict in a sentence."""
        return self._each(_message)

    def summary(self) -> dict[str, Any]:
        """Return the numbers and the words of one point, without the eigenvector, for reports."""
        hidden = ("code", "why", "u_n", "assumed_trace", "semidefinite")
        names = [f.name for f in dataclasses.fields(self) if f.name not in hidden]
        numbers = {name: getattr(self, name) for name in names}
        level = numbers.pop("noise_level")
        words = {"assumption": self.assumption, "noise_level": level, "message": self.message}
        kind = {"kind": self.kind, "certified": bool(self.certified), "reason": self.reason}
        return {**kind, **numbers, **words}

    def __repr__(self) -> str:
        """Name the kind where it is known."""
        if is_traced(self.code):
            return f"Certificate(code={self.code})"
        fields = ", ".join(f"{name}={value!r}" for name, value in self.summary().items())
        return f"Certificate({fields})"

    def _each(self, word: Callable[["Certificate"], str]) -> Any:
        """Return the word of one point, or an array of those of several."""
        if is_traced(self.code):
            must = "read outside of jit, vmap and grad"
            cure = "Return the certificate from the transformed function, and ask it then."
            raise InvalidInput("certificate", "asked for its words where traced", must, cure)
        shape = np.shape(self.code)
        if not shape:
            return word(self)
        each = [jax.tree.map(lambda a, i=i: np.asarray(a)[i], self) for i in np.ndindex(shape)]
        return np.array([word(one) for one in each]).reshape(shape)


def _assumption(point: Certificate) -> str:
    tau = float(point.assumed_trace)
    return f"trace(M) <= {tau:g}" if np.isfinite(tau) else "none"


def _message(point: Certificate) -> str:
    kind, level = point.kind, float(point.noise_level)
    words = KINDS[kind]
    if not point.semidefinite:
        words = words.replace("positive semidefinite matrices", "matrices, of any rank")
    if kind == "fitted":
        words = "the data are fitted to "
        words += "the noise level" if level > 0 else "the digits that they have"
    parts = f"{kind}: {words}; h = {float(point.objective):.3e}"
    if kind in ("agreed", "stationary", "spurious", "saddle", "global") and point.semidefinite:
        parts += f", λ_n = {float(point.lambda_n):.3e}"
    if kind == "unfinished":
        parts += f", relative gradient {float(point.relative_gradient):.1e}"
        if point.semidefinite and not np.isnan(point.lambda_n):
            parts += f", λ_n = {float(point.lambda_n):.1e}"
        parts += f"; {REASONS[point.reason]}" if point.reason else ""
    if kind == "fitted" and level > 0:
        parts += f", noise level {level:.3e}"
    return parts + "."
