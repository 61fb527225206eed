"""What a perturbed descent found, and in words how it ended."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

#: Why a run ended.
OK, LIMIT, UNSTABLE, INVALID, FLAT, SADDLE, STALLED = 0, 1, 2, 3, 4, 5, 6


@dataclass(frozen=True)
class Descended:
    """Result of one run of :func:`~liftless.ipgd.ipgd`.

    Attributes
    ----------
    x : array
        Where it ended.
    value, gradient_norm : float
        f and ‖∇f‖ there.
    least_curvature : float
        Least curvature there, by Lanczos (an upper bound of λ_min).
    certified : bool
        ``gradient_norm <= G`` and ``least_curvature >= −1e-3 ‖∇²f(x0)‖``: a second-order point
        to these tolerances.
    status : int
        0 returned; 1 iteration limit; 2 the step is beyond stability, or f has no lower bound;
        3 f is not a number; 4 flat start; 5 returned a saddle; 6 no step lowers f.
    message : str
        What happened, the usual cause, and what to pass instead.
    iterations, ipgd_iterations, local_iterations : int
        Steps in all, of the first and of the local phase.
    perturbations, backtracks : int
        Perturbations made, and halvings of the step.
    step : float
        Last step size η.
    G : float
        Gradient norm that counted as stationary.
    checkpoints : tuple of (int, float)
        Iteration and least curvature at each look; NaN where the method does not look.
    history : dict of arrays
        ``t``, ``value``, ``gradient_norm``, ``x`` and ``perturbed``, if recorded.  A perturbation
        adds a row of the same t, marked; local steps count on.
    seed : int
    """

    x: Float[np.ndarray, "..."]
    value: float
    gradient_norm: float
    least_curvature: float
    certified: bool
    status: int
    message: str
    iterations: int
    ipgd_iterations: int
    local_iterations: int
    perturbations: int
    backtracks: int
    step: float
    G: float
    checkpoints: tuple[tuple[int, float], ...]
    history: dict[str, np.ndarray] = field(repr=False)
    seed: int

    @property
    def success(self) -> bool:
        """Whether the method returned, to a point without negative curvature."""
        return self.status == OK


def message(status: int, facts: dict[str, Any]) -> str:
    """Say how a run ended; ``facts`` are the numbers the words need."""
    return _WORDS[status](facts)


def _ok(facts: dict[str, Any]) -> str:
    kind = "a second-order point" if facts["certified"] else "not a second-order point to tolerance"
    return (
        f"Returned after {facts['t']} steps and {facts['perturbations']} perturbation(s): {kind}, "
        f"gradient {facts['gradient']:.1e}, least curvature {facts['least']:.1e}."
    )


def _limit(facts: dict[str, Any]) -> str:
    lost = ""
    if facts["lost"]:
        lost = (
            f" {facts['lost']} perturbation(s) of radius {facts['gamma']:.1e} changed no entry of "
            "x: gamma is below the round-off of x; pass a larger one."
        )
    return (
        f"The limit of {facts['most']} iterations was reached with gradient "
        f"{facts['gradient']:.1e} (G = {facts['G']:.1e}); raise max_iterations or G.{lost}"
    )


def _unstable(facts: dict[str, Any]) -> str:
    if facts["finite"]:
        what = (
            f"The step {facts['eta']:.3g} is beyond stability: 2 over the largest curvature here "
            f"is {facts['bound']:.3g}, so descent oscillates without end."
        )
    else:
        what = (
            f"The iterates left the finite numbers: the step {facts['eta']:.3g} is beyond "
            "stability (2 over the largest curvature on the way), or f has no lower bound."
        )
    return what + " Halve eta, or leave it to mode='adaptive'."


def _invalid(facts: dict[str, Any]) -> str:
    del facts
    return (
        "The objective, its gradient or its Hessian product is not a finite number at the start; "
        "check the data and the domain of f, or start elsewhere."
    )


def _flat(facts: dict[str, Any]) -> str:
    return (
        "The start is flat: the Hessian vanishes there"
        + (" and so does the gradient" if facts["gradient"] == 0 else "")
        + ", so curvature sets no step and no perturbation grows. Start elsewhere (a small random "
        "point), or rescale f if its curvature underflows."
    )


def _saddle(facts: dict[str, Any]) -> str:
    where = "the start" if facts["start"] else "a point"
    return (
        f"Algorithm 1 returned {where}, which is a strict saddle of least curvature "
        f"{facts['least']:.2e}: within T_escape = {facts['T_escape']} steps the perturbation of "
        f"{facts['gamma']:.0e} grew by less than lowers f by F. Pass T_escape='curvature', "
        "returned='x', or mode='adaptive'."
    )


def _stalled(facts: dict[str, Any]) -> str:
    return (
        f"No step lowers f, down to {facts['eta']:.1e}, though the gradient is "
        f"{facts['gradient']:.1e} > G = {facts['G']:.1e}: f is at round-off, not a number nearby, "
        "or its gradient is wrong. Shift f so that its least value is near zero, or raise G."
    )


_WORDS = {
    OK: _ok,
    LIMIT: _limit,
    UNSTABLE: _unstable,
    INVALID: _invalid,
    FLAT: _flat,
    SADDLE: _saddle,
    STALLED: _stalled,
}
