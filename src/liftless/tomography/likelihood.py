"""Maximum likelihood of counts: the shadow's leading vectors, a wider factor, the factor."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from liftless._types import AnyArray
from liftless.carried import CarriedProblem
from liftless.descent import LBFGS, Stop, descend
from liftless.losses import Poisson
from liftless.operators import ProductBases, measure
from liftless.operators.complex_amplitudes import ComplexAmplitudes
from liftless.operators.product_bases import VECTORS
from liftless.problem import Problem
from liftless.space import Hermitian, Symmetric
from liftless.tomography.counts import Counts
from liftless.tomography.measured import (
    MEMORY,
    SOME,
    STEPS,
    WIDE_STEPS,
    Fit,
    Measured,
    leading,
    padded,
    wide_start,
)
from liftless.tomography.mirrors import Mirrors, flipped_sums
from liftless.tomography.precision import Evidence

#: Log-likelihood that the next step would still gain, about, where a fit ends.
GAIN = 1e-3
#: First share of white noise.
WHITE = 0.05
#: Outcomes of which half is added to a mean count for its variance: a count of zero has some too.
HALF = 0.5


class WithWhite(ComplexAmplitudes):
    """Product bases of Z, and white noise τ² I/d beside it: rows [⟨v|Z, τ/√d].

    The factor is [Re Z; Im Z; τ ⋯], of whose last row the first number is τ and no other is used.
    """

    inner: ProductBases

    def __init__(self, inner: ProductBases) -> None:
        self.inner = inner

    @property
    def space(self) -> Symmetric:
        """Of the array X, since τ is no row of Z."""
        return Symmetric(2 * self.inner.order + 1)

    @property
    def m(self) -> int:
        """Outcomes of all settings."""
        return self.inner.m

    @property
    def share(self) -> float:
        """As without white noise, about."""
        return self.inner.share

    def rows(self, X: Float[AnyArray, "n r"]) -> Complex[AnyArray, "m q"]:
        """Amplitudes of Z, and √(τ²/d) beside them."""
        X = jnp.asarray(X)
        P = self.inner.rows(X[:-1])
        white = X[-1:, :1] / math.sqrt(self.inner.order)
        column = jnp.broadcast_to(white, (P.shape[0], 1)).astype(P.dtype)
        return jnp.concatenate([P, column], axis=1)

    def back(self, P: Complex[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows`."""
        white = jnp.sum(jnp.real(P[:, -1:]), axis=0, keepdims=True) / math.sqrt(self.inner.order)
        Z = self.inner.back(P[:, :-1])
        return jnp.concatenate([Z, jnp.pad(white, ((0, 0), (0, Z.shape[1] - 1)))])

    def gram(self) -> Float[np.ndarray, " n"]:
        """The number of settings, everywhere."""
        return np.append(self.inner.gram(), float(self.inner.settings.shape[0]))

    def multiplicity(self) -> None:
        """Nothing: a row stands for one reading."""
        return

    def scrambled(self) -> bool:
        """As without white noise."""
        return False

    def lengths(self) -> Float[AnyArray, " m"]:
        """As without white noise."""
        return self.inner.lengths()


def shadow(
    counts: Counts, frequencies: Float[np.ndarray, "S d"] | None = None
) -> Complex[np.ndarray, "d d"]:
    """Inversion of local shadows: mean over settings and shots of ⊗ (3 |v⟩⟨v| − I).

    Parameters
    ----------
    counts : Counts
    frequencies : array of shape (S, 2^q), optional
        Those of the counts, unless others are given in their place.

    References
    ----------
    Huang, Kueng and Preskill, Predicting many properties of a quantum system (2020).
    """
    q, d = counts.qubits, 2**counts.qubits
    # Frequencies by letter and bit of every qubit, zero where a setting was not measured.
    grid = np.zeros((3, 2) * q)
    f = counts.n / counts.shots[:, None] if frequencies is None else frequencies
    for setting, row in zip(counts.settings, f, strict=True):
        place = tuple(x for letter in setting for x in (int(letter), slice(None)))
        grid[place] += row.reshape((2,) * q)
    kets = VECTORS.conj()
    K = 3 * np.einsum("lbi,lbj->lbij", kets, kets.conj()) - np.eye(2)
    A: Any = grid.astype(complex)
    for _ in range(q):
        # The first qubit's letter and bit go, its row and column come last.
        A = np.tensordot(A, K, axes=((0, 1), (0, 1)))
    rows_first = [*range(0, 2 * q, 2), *range(1, 2 * q, 2)]
    rho = A.transpose(rows_first).reshape(d, d) / len(counts.settings)
    return (rho + rho.conj().T) / 2


def fitted(
    counts: Counts,
    rank: int,
    begin: Complex[np.ndarray, "d d"],
    *,
    white: bool,
    seed: int,
    wide: bool = True,
) -> Fit:
    """Maximise the likelihood at a rank, from the leading vectors of a matrix.

    First in a factor of two columns more, for some steps, and truncated: alone, a factor of the
    rank ends at a worse state in half of the cases with few settings.
    """
    bases = ProductBases(counts.settings)
    space, d = bases.space, bases.order
    shared, spent = bases.m <= SOME, 0
    operator: ComplexAmplitudes = WithWhite(bases) if shared or white else bases
    X = space.pack(wide_start(begin, rank, seed) if wide else leading(begin, rank))
    if wide:
        first: ComplexAmplitudes = operator if shared else bases
        X, spent, _ = _descended(counts, first, with_white(X, 0.0) if shared else X, WIDE_STEPS)
        X = space.truncate(X[: 2 * d], rank)
    if white:
        tau = math.sqrt(WHITE) * float(np.linalg.norm(X))
        X = with_white(math.sqrt(1 - WHITE) * X, tau)
    elif shared:
        X = with_white(X, 0.0)
    X, more, loss = _descended(counts, operator, X, STEPS)
    total = float(np.sum(X * X))
    share = float(np.sum(X[2 * d :] ** 2)) / total
    Z = space.complex(X[: 2 * d]) / math.sqrt(total)
    return Fit(rank, share, white, Z, loss, spent + more)


def with_white(X: Float[np.ndarray, "n r"], tau: float) -> Float[np.ndarray, "k r"]:
    """The factor of :class:`WithWhite`, all white noise in the first column.

    Without any it stays without: the gradient in τ is a multiple of τ.
    """
    row = np.zeros((1, X.shape[1]))
    row[0, 0] = tau
    return np.concatenate([X, row])


def _descended(
    counts: Counts, operator: ComplexAmplitudes, X: Float[np.ndarray, "n r"], steps: int
) -> tuple[Float[np.ndarray, "n r"], int, float]:
    """Factor, applications, and −log likelihood of the probabilities of trace one."""
    shots, d, columns = counts.shots, counts.n.shape[1], X.shape[1]
    X = padded(X, counts.n.size, d)
    problem = Problem(
        operator,
        (counts.n / shots[:, None]).ravel(),
        X.shape[1],
        weights=np.repeat(np.sqrt(shots), d),
        loss=Poisson(),
    )
    amplitudes: Any = operator.amplitudes()
    carried = CarriedProblem(problem, amplitudes)
    total = float(shots.sum())
    excess = float(Hermitian(d).degrees_of_freedom(columns))
    # A step of Newton's gains ½ ‖∇h‖²/(4 N), of a factor of length one.
    stop = Stop(0.0, math.sqrt(8 * total * GAIN) / excess, steps)
    done = descend(carried, carried.inside(X), LBFGS(MEMORY), stop)
    X = np.asarray(carried.outside(done.X))
    X = X / np.linalg.norm(X)
    p = np.asarray(problem.measurements(X)).reshape(counts.n.shape)
    seen = counts.n > 0
    loss = -float(np.sum(counts.n[seen] * np.log(np.maximum(p[seen], 1e-300))))
    return X[:, :columns], int(done.applications), loss


@dataclass(frozen=True)
class OfCounts(Measured):
    """Likelihood of counts of outcomes.

    Attributes
    ----------
    data : Counts
    """

    data: Counts

    @functools.cached_property
    def operator(self) -> ProductBases:
        """The settings as measurements."""
        return ProductBases(self.data.settings)

    @property
    def qubits(self) -> int:
        """Qubits."""
        return self.data.qubits

    @property
    def shots(self) -> float:
        """All shots."""
        return float(self.data.shots.sum())

    @property
    def settings(self) -> int:
        """Settings."""
        return len(self.data.settings)

    @property
    def words(self) -> str:
        """What was measured."""
        return f"{self.shots:.0f} shots in {self.settings} settings"

    @property
    def cure(self) -> str:
        """What to do where other states fit as well."""
        return "Measure in more settings."

    def begin(self) -> Complex[np.ndarray, "d d"]:
        """Return the inverted shadow."""
        return shadow(self.data)

    def fitted(self, rank: int, begin: Any, *, white: bool, seed: int, wide: bool = True) -> Fit:
        """See :func:`fitted`."""
        return fitted(self.data, rank, begin, white=white, seed=seed, wide=wide)

    def models(self, ranks: list[int], kinds: list[bool], seed: int) -> tuple[list[Fit], Fit]:
        """Models by rising rank, until BIC is no less; and that of the least."""
        begin, shots, fits = self.begin(), self.shots, []
        for kind in kinds:
            last = math.inf
            for rank in ranks:
                one = self.fitted(rank, begin, white=kind, seed=seed)
                fits.append(one)
                if one.bic(shots) >= last:
                    break
                last = one.bic(shots)
        return fits, min(fits, key=lambda one: one.bic(shots))

    def told(self, fit: Fit) -> dict[str, Any]:
        """A fit in numbers."""
        bic = fit.bic(self.shots)
        return {"rank": fit.rank, "white": fit.white, "loss": fit.loss, "bic": bic}

    def left_open(self, fit: Fit) -> float:
        """A parameter is told to about 1/(4 N); the infidelity is their sum."""
        return fit.parameters / (4 * self.shots)

    def _means(self, fit: Fit) -> Float[np.ndarray, "S d"]:
        X = self.operator.space.pack(fit.Z)
        p = np.asarray(measure(self.operator, X, X)).reshape(self.data.n.shape)
        return self.data.shots[:, None] * (p + fit.white / self.operator.order)

    def chi2(self, fit: Fit) -> tuple[float, int]:
        """Pearson's χ², over outcomes that the model does not exclude, and its freedom."""
        mean = self._means(fit)
        kept = mean > 1e-9 * self.data.shots[:, None]
        off = float(np.sum((self.data.n - mean)[kept] ** 2 / mean[kept]))
        return off, int(np.count_nonzero(kept)) - self.settings - fit.parameters

    def mirrored(self, mirrors: Mirrors, fit: Fit) -> Float[np.ndarray, " k"]:
        """−log likelihood: outcomes change places within every setting."""
        # Outcomes that the fit excludes are possible where noise made it: by about its share.
        share = fit.parameters / (self.shots + fit.parameters)
        p = (1 - share) * self._means(fit) / self.data.shots[:, None] + share / self.operator.order
        sums = flipped_sums(self.data.n, -np.log(p))
        bits = 2 ** np.arange(self.qubits)[::-1]
        losses = np.zeros(len(mirrors.strings))
        for letters, row in zip(self.data.settings + 1, sums, strict=True):
            losses += row[mirrors.flips(letters) @ bits]
        return losses

    def floor(self, fit: Fit) -> float:
        """Largest eigenvalue of the inverted shadow of what the fit leaves."""
        off = self.data.n - self._means(fit)
        rest = shadow(self.data, off / self.data.shots[:, None])
        return float(np.linalg.eigvalsh(rest)[-1])

    def evidence(self, fit: Fit) -> Evidence:
        """Weights N²/(mean count + ½) of the probabilities."""
        operator: ComplexAmplitudes = self.operator
        X = self.operator.space.pack(fit.Z)
        if fit.modelled and fit.white > 0:
            operator, X = WithWhite(self.operator), with_white(X, math.sqrt(fit.white))
        omega = self.data.shots[:, None] ** 2 / (self._means(fit) + HALF)
        return Evidence(operator, X, omega.ravel(), fit.rank)
