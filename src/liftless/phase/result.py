"""What a retrieval hands back."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from liftless._show import figures, table_html, table_text

#: Exit code of the command line by kind.
STATUS = {"exact": 0, "fitted": 0, "stationary": 4, "unfinished": 3}


@dataclass(frozen=True, repr=False)
class Retrieval:
    """Result of :func:`liftless.phase.retrieve`.

    Attributes
    ----------
    image : array
        Real or complex; of a complex one the pixel of largest modulus is positive, since a constant
        phase of it is measured by nothing (the sign, of a real one: its sum is not negative).
    kind : {"exact", "fitted", "stationary", "unfinished"}
    message : str
        What happened, which other images give the same readings, and what to do about it.
    misfit : float
        ‖|F x| − √b‖ / ‖√b‖ over the readings.
    chi2 : float
        Σ (reading − fit)²/variance over the readings less the unknowns, in units of what noise of
        the fitted intensities makes of it: about 1, below where a reading counts one photon or so,
        where the noise explains the misfit; NaN where no noise was given.
    error_estimate : float
        Of the relative error of the image, up to its phase: one draw of the noise that the fit
        leaves, carried through the linearised problem.  It says nothing of another image, far from
        this one, that would fit as well.
    ffts : int
        Transforms of one mask that the search took.
    ffts_single : int
        Those of them that were in float32.
    ffts_error : int
        Transforms that the error estimate took.
    starts : int
        Images that the search began with.
    start : array
        Image that the last descent began with.
    pattern : array
        Readings of the first mask, window, or transform, in units of the unitary one (or counts);
        zero where there are none.
    readings, unknowns : float, int
        Independent readings, and real numbers to be found.
    history : tuple of dict
        ``event``, ``ffts`` so far and ``misfit`` after it.
    noise : str
    precision : {"float64", "mixed"}
        Of the search; the image and what is said of it are of float64.
    seed : int
    seconds : float
    """

    image: Num[np.ndarray, "..."]
    kind: str
    message: str
    misfit: float
    chi2: float
    error_estimate: float
    ffts: int
    ffts_single: int
    ffts_error: int
    starts: int
    start: Num[np.ndarray, "..."] = field(repr=False)
    pattern: Num[np.ndarray, "..."] = field(repr=False)
    readings: float
    unknowns: int
    history: tuple[dict, ...] = field(repr=False)
    noise: str
    precision: str
    seed: int
    seconds: float

    @property
    def success(self) -> bool:
        """Whether the readings are fitted: ``exact`` or ``fitted``."""
        return self.status == 0

    @property
    def status(self) -> int:
        """0 for a success, 3 unfinished, 4 stationary."""
        return STATUS[self.kind]

    def distance(self, truth: Any) -> float:
        """Relative distance from another image, up to a constant phase (or the sign)."""
        return image_distance(self.image, truth)

    def plot(self, path: str | Path | None = None, truth: Any = None) -> Any:
        """Draw readings, start, image and the course of the misfit; save it where ``path`` says.

        With the true image, if it is known, its difference takes the place of the start.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return figures().retrieval_figure(self, path, truth)

    def summary(self) -> dict[str, Any]:
        """The numbers and words, without the arrays."""
        names = ("kind", "message", "misfit", "chi2", "error_estimate", "ffts", "ffts_single")
        more = ("ffts_error", "starts", "readings", "unknowns", "noise", "precision", "seed")
        more += ("seconds", "success", "status")
        fields: dict[str, Any] = {name: getattr(self, name) for name in names + more}
        return fields | {"shape": list(self.image.shape), "complex": np.iscomplexobj(self.image)}

    def rows(self) -> list[tuple[str, str]]:
        """The result in about eight lines: a name and a text each."""
        shape = " × ".join(map(str, self.image.shape))
        field_ = "complex" if np.iscomplexobj(self.image) else "real"
        rows = [
            ("kind", f"{self.kind} (success {self.success})"),
            ("image", f"{shape}, {field_}; {self.readings:.0f} readings, {self.unknowns} unknowns"),
            ("misfit", f"{self.misfit:.3g} of the amplitudes"),
        ]
        if math.isfinite(self.chi2):
            rows.append(("chi²", f"{self.chi2:.3f} a degree of freedom ({self.noise})"))
        single = f" ({self.ffts_single} in float32)" if self.precision == "mixed" else ""
        return [
            *rows,
            ("error estimate", f"{self.error_estimate:.3g} of the image"),
            (
                "transforms",
                f"{self.ffts} in {self.starts} start(s){single}, {self.ffts_error} for the error",
            ),
            ("seconds", f"{self.seconds:.3g} (seed {self.seed})"),
            ("message", self.message),
        ]

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image.shape))
        return f"Retrieval(kind={self.kind!r}, {shape}, misfit={self.misfit:.3g}, ffts={self.ffts})"

    def __str__(self) -> str:
        return table_text(self.rows())

    def _repr_html_(self) -> str:
        return table_html(self.rows())


def aligned_to(image: Num[np.ndarray, "..."], truth: Any) -> Num[np.ndarray, "..."]:
    """The image times the c of modulus one (±1 for real ones) that brings it nearest to another."""
    z = np.asarray(truth)
    inner = np.vdot(image, z)
    if not (np.iscomplexobj(image) or np.iscomplexobj(z)):
        c: Any = 1.0 if inner.real >= 0 else -1.0
    else:
        c = inner / abs(inner) if abs(inner) > 0 else 1.0
    return c * image


def image_distance(image: Num[np.ndarray, "..."], truth: Any) -> float:
    """‖c x − z‖ / ‖z‖ for the c of modulus one (±1 for real images) that makes it least."""
    z = np.asarray(truth)
    return float(np.linalg.norm(aligned_to(image, z) - z) / np.linalg.norm(z))


def fixed_phase(image: Num[np.ndarray, "..."]) -> tuple[Num[np.ndarray, "..."], Any]:
    """The image with its constant phase fixed, and the factor that did it."""
    if np.iscomplexobj(image):
        top = image.ravel()[int(np.argmax(np.abs(image)))]
        c: Any = np.conj(top) / abs(top) if abs(top) > 0 else 1.0
    else:
        c = -1.0 if float(np.sum(image)) < 0 else 1.0
    return c * image, c
