"""What a recovery hands back."""

import dataclasses
import math
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._errors import InvalidInput
from liftless._show import figures, table_html, table_text
from liftless.certificate import Certificate
from liftless.escape import Candidate
from liftless.identify import Identifiability
from liftless.problem import Problem
from liftless.recovery.known import Known
from liftless.space import Hermitian, Space
from liftless.start.belief import Completion

Factor = Float[np.ndarray, "n r"]

#: Status, which is also the exit code of the command line.
CERTIFIED, NOT_CONVERGED, UNCERTIFIED, INTERRUPTED = 0, 3, 4, 75
#: Further names of the parts of a result, beside its fields.
ALIASES = (
    "X",
    "factor",
    "matrix",
    "objective",
    "iterations",
    "applications",
    "split",
    "kind",
    "certified",
)


@dataclass(frozen=True, repr=False)
class Recovery:
    """Result of :func:`recover`; the first names are SciPy's ``OptimizeResult``'s.

    Attributes
    ----------
    x : array of shape (n, r)
        The factor, also called ``factor``.
    fun : float
        h at ``x``.
    success : bool
        Whether the kind is ``exact``, ``global``, ``fitted`` or ``agreed``; ``certified`` says
        whether that is a proof.
    status : int
        0 for a success, 3 unfinished, 4 stationary and no more than that, 75 stopped by the
        callback.
    message : str
        What happened, the usual cause, and what to pass instead.
    nit, nfev : int
        Iterations of local methods, and applications of A or A* to one matrix.
    certificate : Certificate
    identifiability : Identifiability or None
        Whether the measurements determine the matrix near a fit, which the certificate does not
        say; None where the data are not fitted or the check would take long.
    escapes : tuple of Candidate
        Every candidate that was tried, with h before, at, and after the local solve.
    history : tuple of dict
        One row an event: what was done, h after it, applications so far; with ``trace=True`` also
        the values of h on the way.  After message passing and reflections, which do not evaluate
        h, that is NaN, and ``error`` is their own estimate of how far they are.
        A row of a factor wider than the rank has ``columns``.
    rounds : int
        Fresh starts used.
    seed : int
    seconds : float
    work : float
        What was spent, in applications to a factor of the problem's own rank: the budget's unit.
    space : Space
        What ``x`` stands for.
    agreeing : int
        Rounds that ended at this level of h.
    sigma : float
        √(2 h / (m − dof)): noise of a measurement, after the row weights, that explains h.  NaN
        where m <= dof or the loss is not squared.
    sigma_interval : tuple of two floats
        Its interval of 95 % for independent normal noise.
    effective_rank : int
        Rank of the matrix, which may be lower than the one asked for.
    error_estimate : float
        √(2 h) over the least singular value of the Jacobian, both free of the rows' scales, as a
        relative error of the matrix; NaN where it would take long.
    completion : Completion or None
        What belief propagation found beside the factor, where single entries were measured: the
        noise level, error bars, and the rank that the entries show.
    known : Known or None
        Which entries of an exact completion are determined, where no Jacobian was taken apart.
    precision : {"float64", "mixed"}
        Of the search; ``x`` and what is said of it are of float64.
    nfev_single : int
        Those of the applications that were in float32.
    """

    x: Factor
    fun: float
    success: bool
    status: int
    message: str
    nit: int
    nfev: int
    certificate: Certificate
    identifiability: Identifiability | None
    escapes: tuple[Candidate, ...]
    history: tuple[dict, ...]
    rounds: int
    seed: int
    seconds: float
    work: float
    space: Space
    agreeing: int = 0
    sigma: float = math.nan
    sigma_interval: tuple[float, float] = (math.nan, math.nan)
    effective_rank: int = 0
    error_estimate: float = math.nan

    completion: Completion | None = field(default=None, repr=False)
    known: Known | None = field(default=None, repr=False)
    precision: str = "float64"
    nfev_single: int = 0

    @property
    def kind(self) -> str:
        """What kind of point ``x`` is: the certificate's."""
        return self.certificate.kind

    @property
    def certified(self) -> bool:
        """Whether ``x`` is proved optimal: ``exact`` or ``global``."""
        return bool(self.certificate.certified)

    def determined(self, i: Any, j: Any) -> Bool[np.ndarray, "..."]:
        """Whether entries (i, j) of the matrix are determined, for index arrays of one shape.

        Raises
        ------
        InvalidInput
            If that was not looked into, or a position is out of range.
        """
        if self.known is not None:
            return self.known.determined(i, j)
        if self.identifiability is not None:
            return self.identifiability.determined(i, j)
        if self.completion is not None:
            return self.completion.determined(i, j)
        cure = "Ask identifiability(problem, result.x, method='matrix-free')."
        raise InvalidInput("determined", "asked where it was not looked into", "left out", cure)

    def deviation(self, i: Any, j: Any) -> Float[np.ndarray, "..."]:
        """Standard deviation of the error of entries (i, j), as belief propagation has it.

        See :meth:`liftless.Completion.deviation`; it is that of the posterior mean
        ``result.completion.entries(i, j)``, which is nearer to the truth than ``x``, the
        minimiser of h, where there is much noise.

        Raises
        ------
        InvalidInput
            If there was no completion.
        """
        if self.completion is None:
            was = "asked where no belief propagation was run"
            raise InvalidInput("deviation", was, "left out", "It needs single entries.")
        return self.completion.deviation(i, j)

    @property
    def undetermined(self) -> Int[np.ndarray, " k"]:
        """Lines that are known not to be determined: rows, then columns where rectangular."""
        if self.known is not None:
            return self.known.lines
        if self.identifiability is not None and self.identifiability.free_rows is not None:
            return self.identifiability.free_rows
        return np.zeros(0, int) if self.completion is None else self.completion.unknown

    @property
    def split(self) -> int | None:
        """Rows of U where the problem is rectangular and ``x`` stacks [U; V]."""
        return getattr(self.space, "n1", None)

    @property
    def X(self) -> Factor:
        """The array X of shape (n, r); also called ``x``."""
        return self.x

    @property
    def objective(self) -> float:
        """H at X; also called ``fun``."""
        return self.fun

    @property
    def iterations(self) -> int:
        """Iterations of local methods; also called ``nit``."""
        return self.nit

    @property
    def applications(self) -> int:
        """Applications of A or A* to one matrix; also called ``nfev``."""
        return self.nfev

    @property
    def factor(self) -> Any:
        """The factor as the space has it: X, the stacked [U; V], or a complex Z."""
        return self.space.unpack(self.x) if isinstance(self.space, Hermitian) else self.x

    @property
    def matrix(self) -> np.ndarray:
        """The recovered matrix X Xᵀ, U Vᵀ or Z Z*."""
        return self.space.matrix(self.x)

    def keys(self) -> list[str]:
        """Names that the result can be subscripted with."""
        return [f.name for f in dataclasses.fields(self)]

    def __getitem__(self, name: str) -> Any:
        if name not in (*self.keys(), *ALIASES):
            raise KeyError(name)
        return getattr(self, name)

    def __repr__(self) -> str:
        kind, rank = self.certificate.kind, self.x.shape[1]
        return f"Recovery(kind={kind!r}, rank={rank}, fun={self.fun:.6g}, nfev={self.nfev})"

    def __str__(self) -> str:
        return table_text(self._rows())

    def _repr_html_(self) -> str:
        return table_html(self._rows())

    def plot(
        self,
        problem: Problem | None = None,
        *,
        truth: Float[np.ndarray, "n s"] | None = None,
        path: str | os.PathLike | None = None,
    ) -> Any:
        """Draw the course, the matrix, and the fit of the data (extra ``plot``).

        Parameters
        ----------
        problem : Problem, optional
            What was recovered from; without it the last panel has the spectrum.
        truth : array of shape (n, s), optional
            A factor whose distance is written beside the matrix.
        path : str, optional
            Where to save it as well: PNG, SVG or PDF.

        Returns
        -------
        matplotlib.figure.Figure
            With ``recover(..., trace=True)`` its first panel has every step, else the rounds' ends.
        """
        figure = figures().draw_recovery(self, problem, truth)
        if path is not None:
            figures().save_figure(figure, path)
        return figure

    def _rows(self) -> list[tuple[str, str]]:
        """The result in about eight lines."""
        unique, point = self.identifiability, self.certificate
        looked = self.known if unique is None or self.known is not None else unique
        known = "not looked into" if looked is None else looked.answer
        spectrum = ", ".join(f"{s:.4g}" for s in self.space.spectrum(self.x)[:5])
        more = ", ..." if self.x.shape[1] > 5 else ""
        rank = f"rank {self.effective_rank}"
        if self.effective_rank < self.x.shape[1]:
            rank += f" (of {self.x.shape[1]} asked for)"
        proved = "certified" if self.certified else "not certified"
        found, told = self.completion, []
        if found is not None and found.rank < self.x.shape[1]:
            told.append(("rank shown", f"the entries show {found.rank}"))
        return [
            ("kind", f"{point.kind} ({proved}, success {self.success}, status {self.status})"),
            ("matrix", f"{self.space.formula} {self.space.describe()}, {rank}"),
            (f"{self.space.spectrum_name}s", spectrum + more),
            ("objective", f"{self.fun:.6g} (optimum >= {point.lower_bound:.6g})"),
            *self._noise_row(),
            ("determined", known),
            *told,
            (
                "applications",
                f"{self.nfev} in {self.rounds} round(s), {self.agreeing} of them here, "
                f"{len(self.escapes)} escapes",
            ),
            ("seconds", f"{self.seconds:.3g} (seed {self.seed})"),
            ("message", self.message),
        ]

    def _noise_row(self) -> list[tuple[str, str]]:
        """The noise that explains the misfit, where there is one to explain."""
        if self.certificate.kind == "exact" or not math.isfinite(self.sigma):
            return []
        low, high = self.sigma_interval
        return [("noise", f"σ = {self.sigma:.4g} (95 %: {low:.4g} to {high:.4g}) explains h")]
