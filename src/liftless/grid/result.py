"""What a state estimation hands back."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Complex, Float

from liftless._show import drawn, table_html, table_text
from liftless.grid.measurements import Measurements
from liftless.grid.network import Grid

#: Buses in the table of a page.
SHOWN = 6


@dataclass(frozen=True)
class Gross:
    """A reading that was taken out.

    Attributes
    ----------
    reading : int
        Its number among those that were given.
    name : str
    normalised : float
        Its normalised residual.
    rivals : tuple of int
        Readings that might be the wrong one as well: without one of them χ² falls by as much, but
        for 6.63, which chance makes of it once in a hundred times.
    rival_names : tuple of str
    element, side : str
        Where it was read.
    """

    reading: int
    name: str
    normalised: float
    rivals: tuple[int, ...] = ()
    rival_names: tuple[str, ...] = ()
    element: str = ""
    side: str = ""

    def __str__(self) -> str:
        if not self.rivals:
            return self.name
        others = ", ".join(self.rival_names[:SHOWN])
        more = len(self.rivals) - SHOWN
        return f"{self.name} (or {others}{f' and {more} more' if more > 0 else ''})"


@dataclass(frozen=True, repr=False)
class Estimate:
    """Result of :func:`liftless.grid.estimate`.

    Attributes
    ----------
    grid : Grid
    voltage : complex array of shape (n,)
        Per unit; the angle of each island's reference is zero unless angles were read there.
    sigma_vm, sigma_va : arrays of shape (n,)
        Standard deviations of magnitudes (per unit) and angles (degrees) from the linearised fit;
        infinite where not observable.
    observable : boolean array of shape (n,)
        Whether the readings determine the voltage of a bus, near this one.
    kind : {"exact", "fitted", "stationary"}
        Fitted to round-off; χ² within the noise (p >= 0.01); or not, or another state explains the
        readings with as few taken out, or the fit is not at its end.
    message : str
    chi2, pvalue : float
        Σ (residual/σ)² a degree of freedom, and the chance of more.
    dof : int
        Rows (zero injections included) less what they determine.
    readings : Measurements
        Those that were kept.
    residuals, normalised : arrays of shape (m,)
        (fit − value)/σ; and |fit − value| over the residual's own deviation, NaN for critical ones.
    critical : boolean array of shape (m,)
        Readings without which something is not observable: no gross error of theirs shows.
    gross : tuple of Gross
        Readings that were taken out, in this order.
    others : tuple of arrays
        Other states where the fit of all readings came to rest.
    other_chi2 : tuple of float
        Their χ² a degree of freedom.
    steps : int
        Levenberg–Marquardt steps of all fits.
    seed : int
    seconds : float
    """

    grid: Grid
    voltage: Complex[np.ndarray, " n"]
    sigma_vm: Float[np.ndarray, " n"]
    sigma_va: Float[np.ndarray, " n"]
    observable: Bool[np.ndarray, " n"]
    kind: str
    message: str
    chi2: float
    pvalue: float
    dof: int
    readings: Measurements = field(repr=False)
    residuals: Float[np.ndarray, " m"] = field(repr=False)
    normalised: Float[np.ndarray, " m"] = field(repr=False)
    critical: Bool[np.ndarray, " m"] = field(repr=False)
    gross: tuple[Gross, ...]
    others: tuple[Complex[np.ndarray, " n"], ...] = field(repr=False)
    other_chi2: tuple[float, ...] = field(repr=False)
    steps: int
    seed: int
    seconds: float

    @property
    def vm(self) -> Float[np.ndarray, " n"]:
        """Magnitudes, per unit."""
        return np.abs(self.voltage)

    @property
    def va(self) -> Float[np.ndarray, " n"]:
        """Angles, degrees."""
        return np.rad2deg(np.angle(self.voltage))

    @property
    def power(self) -> Complex[np.ndarray, " n"]:
        """P + jQ into the network at every bus, MW and Mvar."""
        return self.grid.base * self.grid.injections(self.voltage)

    @property
    def success(self) -> bool:
        """Whether the readings are explained, determine every voltage, and tell gross errors."""
        return self.status == 0

    @property
    def status(self) -> int:
        """0 for a success, else 4; so where a reading that was taken out has rivals.

        Without one of them instead the state would be another.
        """
        doubted = any(one.rivals for one in self.gross)
        told = self.kind != "stationary" and bool(self.observable.all()) and not doubted
        return 0 if told else 4

    def distance(self, truth: Any) -> float:
        """Largest difference from other voltages (per unit), the islands' angles taken out."""
        v = np.asarray(truth, complex)
        return float(np.abs(self.voltage - self.grid.turned(v, self.voltage)).max())

    def table(self) -> dict[str, np.ndarray]:
        """Result by bus: names, magnitudes, angles, their deviations, injections."""
        s = self.power
        return {
            "bus": self.grid.buses,
            "vm": self.vm,
            "va": self.va,
            "std_vm": self.sigma_vm,
            "std_va": self.sigma_va,
            "p": np.real(s),
            "q": np.imag(s),
            "observable": self.observable,
        }

    def plot(self, path: Any = None) -> Any:
        """Draw the network coloured by its residuals; save that where there is a path."""
        return drawn("grid_figure", self, path)

    def summary(self) -> dict[str, Any]:
        """The numbers and words, without the arrays."""
        names = ("kind", "message", "chi2", "pvalue", "dof", "steps", "seed", "seconds")
        fields: dict[str, Any] = {name: getattr(self, name) for name in names}
        return fields | {
            "buses": self.grid.n,
            "readings": self.readings.m,
            "zero_injections": int(self.grid.idle.sum()),
            "unobservable": [str(x) for x in self.grid.buses[~self.observable]],
            "critical": [self.readings.name(int(k)) for k in np.flatnonzero(self.critical)],
            "gross": [
                {
                    "reading": one.reading,
                    "name": one.name,
                    "normalised": one.normalised,
                    "rivals": list(one.rival_names),
                }
                for one in self.gross
            ],
            "others": list(self.other_chi2),
            "success": self.success,
            "status": self.status,
        }

    def rows(self) -> list[tuple[str, str]]:
        """The result in a few lines: a name and a text each."""
        grid, m = self.grid, self.readings.m
        rows = [
            ("kind", f"{self.kind} (success {self.success})"),
            ("grid", f"{grid.n} buses, {grid.branches.size} branches, {grid.idle.sum()} idle"),
            ("readings", f"{m} kept" + self._redundancy()),
            ("observable", f"{int(self.observable.sum())} of {grid.n} buses"),
        ]
        if math.isfinite(self.pvalue):
            text = f"{self.chi2:.4g} a degree of freedom ({self.dof}), p = {self.pvalue:.2g}"
            rows.append(("chi²", text))
        seen = self.observable
        if self.kind != "exact" and seen.any():
            vm, va = self.sigma_vm[seen].max(), self.sigma_va[seen].max()
            rows.append(("largest σ", f"{vm:.2g} p.u., {va:.2g}°"))
        known = np.flatnonzero(np.isfinite(self.normalised))
        if self.kind != "exact" and known.size:
            worst = int(known[np.argmax(self.normalised[known])])
            size = self.normalised[worst]
            rows.append(("worst reading", f"{self.readings.name(worst)}: {size:.4g} deviations"))
        if self.critical.any():
            names = [self.readings.name(int(k)) for k in np.flatnonzero(self.critical)[:SHOWN]]
            more = int(self.critical.sum()) - len(names)
            rows.append(("critical", ", ".join(names) + (f" and {more} more" if more else "")))
        rows += [("taken out", f"{one}: {one.normalised:.4g} deviations") for one in self.gross]
        if self.others:
            text = ", ".join(f"{x:.3g}" for x in self.other_chi2[:SHOWN])
            rows.append(("other ends", f"χ² a degree of freedom {text}"))
        return [
            *rows,
            ("steps", str(self.steps)),
            ("seconds", f"{self.seconds:.3g} (seed {self.seed})"),
            ("message", self.message),
        ]

    def _redundancy(self) -> str:
        """Readings for each unknown that zero injections do not tell."""
        unknowns = self.readings.m - self.dof
        return f", {self.readings.m / unknowns:.2f} an unknown" if unknowns > 0 else ""

    def __repr__(self) -> str:
        return f"Estimate(kind={self.kind!r}, buses={self.grid.n}, chi2={self.chi2:.3g})"

    def __str__(self) -> str:
        return table_text(self.rows())

    def _repr_html_(self) -> str:
        return table_html(self.rows())
