"""What a perturbed descent found, and in words how it ended."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless.descent import journey
from liftless.descent.base import Point
from liftless.descent.journey import Journey
from liftless.descent.rules import Rule

#: Why a run ended.
OK, LIMIT, UNSTABLE, INVALID, FLAT, SADDLE, STALLED = 0, 1, 2, 3, 4, 5, 6


@dataclass(frozen=True)
class Descended:
    """Result of one run of :func:`~liftless.descent.ipgd`.

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


@dataclass(frozen=True)
class Run:
    """Where one run ended, on the host, and what is known of its start.

    ``defined`` says whether f, its gradient and its curvature were numbers there.
    """

    point: Point
    state: Journey
    least: float
    largest: float
    start: np.ndarray
    defined: bool
    rule: Rule
    most: int


def describe_run(
    run: Run, looks: tuple[tuple[int, float], ...], rows: list[tuple], seed: int
) -> Descended:
    """Return the result of a run, with its looks at the curvature and its recorded rows."""
    facts, walk = _facts(run), run.state.walk
    status = _status(run, facts)
    facts["certified"] = facts["certified"] and status != FLAT
    return Descended(
        x=np.array(run.point.X),
        value=float(walk.value),
        gradient_norm=facts["gradient"],
        least_curvature=facts["least"],
        certified=facts["certified"],
        status=status,
        message=_WORDS[status](facts),
        iterations=int(walk.t + walk.local),
        ipgd_iterations=facts["t"],
        local_iterations=int(walk.local),
        perturbations=facts["perturbations"],
        backtracks=int(walk.backtracks),
        step=facts["eta"],
        G=facts["G"],
        checkpoints=looks,
        history=_history(rows, facts["G"]),
        seed=seed,
    )


def _facts(run: Run) -> dict[str, Any]:
    """Numbers that the status and the message of a run need."""
    s, memory, walk = run.state.settings, run.state.memory, run.state.walk
    # The start sets the scale of curvature, unless it had none.
    size = max(abs(run.least), abs(run.largest))
    tolerance = float(s.tolerance) if run.state.size > 0 else 1e-3 * size
    gradient = float(walk.slope) * float(s.G)
    finite = bool(np.isfinite(walk.value) and np.isfinite(gradient))
    second = run.least >= -tolerance
    return {
        "t": int(walk.t),
        "perturbations": int(memory.perturbations),
        "second": second,
        "certified": bool(finite and walk.slope <= 1 and second),
        "gradient": gradient,
        "least": run.least,
        "largest": run.largest,
        "lost": int(memory.lost),
        "gamma": float(run.rule.gamma),
        "most": run.most,
        "G": float(s.G),
        "eta": float(walk.eta),
        "bound": 2 / run.largest if run.largest > 0 else np.inf,
        "finite": finite,
        "start": bool(np.array_equal(run.point.X, run.start)),
        "T_escape": int(memory.T_escape),
    }


def _status(run: Run, facts: dict[str, Any]) -> int:
    """Status from the phase a run ended in and from what its end looks like."""
    phase, never_bent = int(run.state.walk.phase), run.state.size == 0
    if not run.defined:
        return INVALID
    unmoved = facts["start"] and facts["largest"] == 0
    if never_bent and (run.rule.looks or unmoved) and not run.rule.relative:
        return FLAT
    if phase == journey.UNSTABLE:
        return UNSTABLE
    if phase == journey.STALLED:
        return STALLED
    if phase == journey.LIMIT:
        return UNSTABLE if facts["eta"] > facts["bound"] else LIMIT
    return OK if facts["second"] else SADDLE


def _history(rows: list[tuple], G: float) -> dict[str, np.ndarray]:
    """Stack the rows that were recorded."""
    if not rows:
        return {}
    t, value, slope, x, marked = zip(*rows, strict=True)
    return {
        "t": np.array(t),
        "value": np.array(value),
        "gradient_norm": np.array(slope) * G,
        "x": np.array(x),
        "perturbed": np.array(marked),
    }


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
