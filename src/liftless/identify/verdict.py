"""What the detectors found, put together in one verdict."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._errors import InvalidInput
from liftless.space import Space

Factor = Float[np.ndarray, "n r"]

#: A derivative of an entry below this fraction of the largest is round-off.
STILL = 1e-6

#: What a detector can find, in words.
FINDINGS = {
    "determined": "no other matrix near X has the same measurements",
    "proved": "no other matrix at all has the same measurements",
    "curve": "a curve of matrices through X has the same measurements, to first order",
    "signs": "groups of rows that no measurement ties have open signs",
    "second fit": "another matrix, not near X, has the same measurements",
    "few": "the measurements span no more dimensions than the matrices have: near X at best",
    "rough": "the fit says too little about the matrix, for its accuracy",
    "no minimiser": "the loss is least at infinity only: there is no matrix to determine",
    "generic": "measurements drawn at random, as these look, leave a matrix no double",
    "searched": "every exact fit from independent starts was X",
    "clear": "nothing was found",
    "not examined": "the detector did not look, and says why",
}

#: Findings by which other matrices fit, and those by which nothing can be said.
OPEN = ("curve", "signs", "second fit")
DOUBTS = ("no minimiser", "rough", "few")


@dataclass(frozen=True)
class Evidence:
    """What one detector found.

    Attributes
    ----------
    detector : str
    finding : str
        One of :data:`FINDINGS`.
    text : str
        The numbers behind it, in a sentence.
    other : array of shape (n, r) or None
        Another factor with the same measurements, as the counterexample.
    """

    detector: str
    finding: str
    text: str
    other: Factor | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Verdict:
    """Whether the measurements determine the matrix, as far as was examined.

    Attributes
    ----------
    evidence : tuple of Evidence
        One a detector.
    rank, dof : int
        Rank of the Jacobian, and the degrees of freedom of the matrices of X's rank.
    identifiable : bool
        Whether no detector found another matrix or a doubt, and the Jacobian's rank is full: unique
        as far as :attr:`reach` says.
    gap : float
        Least nonzero singular value over the largest: how clear the verdict is.  Matrix-free it is
        a Ritz value, hence never too small; NaN where nothing was computed.
    method : str
        "dense", "matrix-free", or "count" if there are fewer measurements than degrees of freedom;
        then ``rank`` is the bound that m gives.
    free_rows : integer array of shape (k,) or None
        Lines of the matrix (rows; then columns, where rectangular) without which everything is
        determined: the entries among the others are known.  None after "count".
    null : array of shape (k, n, r)
        Orthonormal directions of the factor that change the matrix and no measurement.
    factor : array of shape (n, r)
        X without its padding, where the Jacobian was taken.
    space : Space
        What the factor stands for.
    message : str
        The verdict in a sentence or two.
    error_estimate : float
        Estimate of the relative error of the matrix, from the residual and the least singular
        value; NaN unless X was said to fit b.
    """

    evidence: tuple[Evidence, ...] = field(repr=False)
    rank: int
    dof: int
    identifiable: bool
    gap: float
    method: str
    message: str
    free_rows: Int[np.ndarray, " k"] | None
    null: Float[np.ndarray, "d n r"] = field(repr=False)
    factor: Factor = field(repr=False)
    space: Space = field(repr=False)
    error_estimate: float = math.nan

    @property
    def findings(self) -> tuple[str, ...]:
        """What was found, a word a detector."""
        return tuple(one.finding for one in self.evidence)

    @property
    def open(self) -> bool:
        """Whether other matrices are known to fit, or a curve of them to first order."""
        return any(finding in OPEN for finding in self.findings)

    @property
    def reach(self) -> str:
        """How far the verdict reaches: "near" X, or "everywhere": proved, generic, searched."""
        far = any(finding in ("proved", "generic", "searched") for finding in self.findings)
        return "everywhere" if far else "near"

    @property
    def answer(self) -> str:
        """Whether the matrix is determined, in a few words."""
        if self.open:
            return "NO: other matrices fit as well"
        if self.identifiable:
            return "yes" if self.reach == "everywhere" else "yes, near this one"
        if "no minimiser" in self.findings:
            return "NO: the loss has no minimiser"
        if "rough" in self.findings:
            return "not to the accuracy of this fit"
        return "near this one only, as far as is known"

    @property
    def near(self) -> bool:
        """Whether X is the only fit near X, to first order."""
        return self.rank == self.dof

    @property
    def other(self) -> Factor | None:
        """Another factor with the same measurements, where a detector has one."""
        return next((one.other for one in self.evidence if one.other is not None), None)

    @property
    def not_examined(self) -> tuple[str, ...]:
        """What was left out, and why."""
        return tuple(one.text for one in self.evidence if one.finding == "not examined")

    @property
    def split(self) -> int | None:
        """Rows of U where the matrix is U Vᵀ."""
        return getattr(self.space, "n1", None)

    def determined(self, i: Any, j: Any) -> Bool[np.ndarray, "..."]:
        """Whether entries (i, j) of the matrix are determined, for index arrays of one shape.

        Raises
        ------
        InvalidInput
            If nothing was computed (method "count"), or a position is out of range.
        """
        if self.free_rows is None:
            cure = "Pass method='dense' or 'matrix-free' to identifiability."
            raise InvalidInput("method", repr(self.method), "one that computes", cure)
        i, j = self.space.positions(i, j)
        at = i.ravel(), j.ravel()
        known = self.space.change(self.null, self.factor, *at) <= STILL * largest_change(
            self.null, self.factor
        )
        if self.other is not None:
            here, there = (self.space.entries(Y, *at) for Y in (self.factor, self.other))
            known &= np.abs(here - there) <= STILL * np.abs(here).max(initial=0.0)
        return known.reshape(i.shape)


#: The name of earlier versions.
Identifiability = Verdict


def largest_change(null: Float[np.ndarray, "d n r"], X: Factor) -> float:
    """Size that a change of an entry along a null direction has at most, up to a factor."""
    widest = np.sqrt(np.sum(null * null, axis=(0, 2)))
    return float(widest.max(initial=0.0) * np.linalg.norm(X, axis=1).max())


def open_lines(null: Float[np.ndarray, "d n r"], X: Factor, space: Space) -> Int[np.ndarray, " k"]:
    """Lines of the matrix whose removal leaves only determined entries, the fullest ones first.

    Open entries come as whole rows and columns, since a null direction along e_i vᵀ changes
    row i against every other; removing the fullest row first finds the cause, not its victims.
    """
    if null.shape[0] == 0:
        return np.zeros(0, int)
    level = STILL * largest_change(null, X)

    def open_with(k: int) -> Bool[np.ndarray, " n"]:
        return space.across(null, X, k) > level

    count = np.array([np.count_nonzero(open_with(k)) for k in range(space.lines)])
    free: list[int] = []
    while count.max() > 0:
        k = int(np.argmax(count))
        count = np.where(open_with(k), count - 1, count)
        count[[*free, k]] = 0
        free.append(k)
    return np.sort(np.array(free))
