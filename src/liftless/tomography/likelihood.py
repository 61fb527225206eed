"""Maximum likelihood of one rank: the shadow's leading vectors, a wider factor, the factor."""

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
from liftless.operators import ProductBases
from liftless.operators.complex_amplitudes import ComplexAmplitudes
from liftless.operators.product_bases import VECTORS
from liftless.problem import Problem
from liftless.space import Hermitian, Symmetric
from liftless.tomography.counts import Counts
from liftless.tomography.state import mixed

#: Steps of the wider factor, and the columns that it has more.
WIDE_STEPS, WIDER = 25, 2
#: Steps of a fit at most, and pairs that it keeps.
STEPS, MEMORY = 400, 10
#: Log-likelihood that the next step would still gain, about, where a fit ends.
GAIN = 1e-3
#: Share of a random factor in a start.
RANDOM = 0.05
#: First share of white noise.
WHITE = 0.05
#: Second word of the seed.
STREAM = 31


class WithWhite(ComplexAmplitudes):
    """Product bases of Z, and white noise τ² I/d beside it: rows [⟨v|Z, τ/√d].

    The factor is [Re Z; Im Z; τ], a row of τ for every column.
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
        white = X[-1:] / math.sqrt(self.inner.order)
        return jnp.concatenate([P, jnp.broadcast_to(white, P.shape).astype(P.dtype)], axis=1)

    def back(self, P: Complex[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows`."""
        r = P.shape[1] // 2
        white = jnp.sum(jnp.real(P[:, r:]), axis=0, keepdims=True) / math.sqrt(self.inner.order)
        return jnp.concatenate([self.inner.back(P[:, :r]), white])

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


@dataclass(frozen=True)
class Fit:
    """Maximum likelihood at one rank.

    Attributes
    ----------
    rank : int
    white : float
        Share of white noise; 0 without it.
    modelled : bool
        Whether there might have been.
    Z : array of shape (d, r)
        Of trace 1 − white.
    loss : float
        −log likelihood, without the terms that depend on the counts alone.
    applications : int
    """

    rank: int
    white: float
    modelled: bool
    Z: Complex[np.ndarray, "d r"]
    loss: float
    applications: int

    @property
    def parameters(self) -> int:
        """Free real numbers: 2 d r − r² − 1, and one of the white noise."""
        d = self.Z.shape[0]
        return 2 * d * self.rank - self.rank**2 - 1 + self.modelled

    def bic(self, shots: float) -> float:
        """Schwarz' criterion: twice the loss, and log(shots) a parameter."""
        return 2 * self.loss + self.parameters * math.log(shots)

    @property
    def density(self) -> Complex[np.ndarray, "d d"]:
        """(1 − ε) Z Z*/tr + ε I/d."""
        return mixed(self.Z, self.white)


def shadow(counts: Counts) -> Complex[np.ndarray, "d d"]:
    """Inversion of local shadows: mean over settings and shots of ⊗ (3 |v⟩⟨v| − I).

    References
    ----------
    Huang, Kueng and Preskill, Predicting many properties of a quantum system (2020).
    """
    q, d = counts.qubits, 2**counts.qubits
    # Frequencies by letter and bit of every qubit, zero where a setting was not measured.
    grid = np.zeros((3, 2) * q)
    for setting, n in zip(counts.settings, counts.n, strict=True):
        place = tuple(x for letter in setting for x in (int(letter), slice(None)))
        grid[place] += (n / n.sum()).reshape((2,) * q)
    kets = VECTORS.conj()
    K = 3 * np.einsum("lbi,lbj->lbij", kets, kets.conj()) - np.eye(2)
    A: Any = grid.astype(complex)
    for _ in range(q):
        # The first qubit's letter and bit go, its row and column come last.
        A = np.tensordot(A, K, axes=((0, 1), (0, 1)))
    rows_first = [*range(0, 2 * q, 2), *range(1, 2 * q, 2)]
    rho = A.transpose(rows_first).reshape(d, d) / len(counts.settings)
    return (rho + rho.conj().T) / 2


def leading(rho: Complex[np.ndarray, "d d"], rank: int) -> Complex[np.ndarray, "d r"]:
    """Factor of the leading part, of trace one; columns of no weight get a small one."""
    values, vectors = np.linalg.eigh(rho)
    top = np.maximum(values[::-1][:rank], 1e-3 * max(values[-1], 1e-12))
    Z = vectors[:, ::-1][:, :rank] * np.sqrt(top)
    return Z / np.linalg.norm(Z)


def fitted(
    counts: Counts, rank: int, begin: Complex[np.ndarray, "d d"], *, white: bool, seed: int
) -> Fit:
    """Maximise the likelihood at a rank, from the leading vectors of a matrix.

    First in a factor of two columns more, for some steps, and truncated: alone, a factor of the
    rank ends at a worse state in half of the cases with few settings.
    """
    operator, d = ProductBases(counts.settings), 2**counts.qubits
    space, rng = Hermitian(d), np.random.default_rng([seed, STREAM])
    wide = min(rank + WIDER, d)
    Z = leading(begin, wide)
    noise = rng.standard_normal(Z.shape) + 1j * rng.standard_normal(Z.shape)
    Z = Z + RANDOM * noise / math.sqrt(2 * Z.size)
    X, spent, _ = _descended(counts, operator, space.pack(Z), WIDE_STEPS)
    X = space.truncate(X, rank)
    whole: ComplexAmplitudes = operator
    if white:
        whole = WithWhite(operator)
        tau = np.zeros((1, rank))
        tau[0, 0] = math.sqrt(WHITE) * np.linalg.norm(X)
        X = np.concatenate([math.sqrt(1 - WHITE) * X, tau])
    X, more, loss = _descended(counts, whole, X, STEPS)
    total = float(np.sum(X * X))
    share = float(np.sum(X[2 * d :] ** 2)) / total
    Z = space.complex(X[: 2 * d]) / math.sqrt(total)
    return Fit(rank, share, white, Z, loss, spent + more)


def _descended(
    counts: Counts, operator: ComplexAmplitudes, X: Float[np.ndarray, "n r"], steps: int
) -> tuple[Float[np.ndarray, "n r"], int, float]:
    """Factor, applications, and −log likelihood of the probabilities of trace one."""
    shots, d = counts.shots, counts.n.shape[1]
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
    excess = max(float(problem.degrees_of_freedom), 1.0)
    # A step of Newton's gains ½ ‖∇h‖²/(4 N), of a factor of length one.
    stop = Stop(0.0, math.sqrt(8 * total * GAIN) / excess, steps)
    done = descend(carried, carried.inside(X), LBFGS(MEMORY), stop)
    X = np.asarray(carried.outside(done.X))
    X = X / np.linalg.norm(X)
    p = np.asarray(problem.measurements(X)).reshape(counts.n.shape)
    seen = counts.n > 0
    loss = -float(np.sum(counts.n[seen] * np.log(np.maximum(p[seen], 1e-300))))
    return X, int(done.applications), loss
