"""Strict local minima of Gaussian instances (4.7), found by descent from many starts at once."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless import LBFGS, Problem, Stop
from liftless._precision import double, on_device
from liftless.descent.loop import solve_starts
from liftless.escape import Oracle, exact_score, paper_score
from liftless.operators import DenseOperator

#: A minimum is spurious when h is above this fraction of h(0), and strict when the least Hessian
#: eigenvalue off the rotations is above this fraction of the largest.
ABOVE, STRICT = 1e-6, 1e-6
#: ‖∇h‖ ‖X‖ / h of a point that counts as critical.
CRITICAL = 1e-8
#: Instances and starts of one call, and the padded shapes (n, m, r) it is compiled for.
BLOCK, STARTS = 60, 15
PADDED = ((3, 6, 2), (5, 16, 3), (8, 24, 2))
#: Newton steps that polish the end points of descent.
POLISH = 6
#: Matrices sampled for an instance's isometry constant.
SAMPLED = 2000

Matrices = Float[np.ndarray, "i m n n"]
Factors = Float[np.ndarray, "k n r"]
Numbers = Float[np.ndarray, " k"]


@dataclass(frozen=True)
class Batch:
    """Instances of one shape: A of shape (i, m, n, n), truths Z of shape (i, n, r), ‖Z‖_F² = r."""

    A: Matrices
    Z: Float[np.ndarray, "i n r"]

    @property
    def b(self) -> Float[np.ndarray, "i m"]:
        """Measurements of the truths."""
        return np.einsum("imab,iar,ibr->im", self.A, self.Z, self.Z)


def matrices(rng: np.random.Generator, count: int, m: int, n: int) -> Matrices:
    """``count`` draws of m symmetric matrices: variance 1/m on the diagonal, 1/(2m) off it."""
    A = rng.standard_normal((count, m, n, n)) / np.sqrt(2 * m)
    A = np.triu(A, 1)
    A = A + A.swapaxes(-1, -2)
    k = np.arange(n)
    A[..., k, k] = rng.standard_normal((count, m, n)) / np.sqrt(m)
    return A


def draw(rng: np.random.Generator, count: int, n: int, r: int, m: int) -> Batch:
    """Instances with normal truths scaled to ‖Z‖_F² = r."""
    A = matrices(rng, count, m, n)
    Z = rng.standard_normal((count, n, r))
    return Batch(A, Z * np.sqrt(r) / np.linalg.norm(Z, axis=(1, 2), keepdims=True))


def _problems(A: Matrices, b: Float[np.ndarray, "i m"], rank: int) -> Problem:
    """One problem whose arrays have a leading axis of instances."""
    n = A.shape[-1]
    i, j = np.triu_indices(n)
    packed = A[:, :, i, j] * np.where(i == j, 1.0, 2.0)
    each = [Problem(DenseOperator(p, n), y, rank) for p, y in zip(packed, b, strict=True)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *each)


#: The library's one loop, over instances as well as over starts.
_solve_all = jax.jit(jax.vmap(solve_starts, in_axes=(0, None, None, 0)))


@double
def _end_points(problems: Problem, method: LBFGS, stop: Stop, X0: Any) -> Any:
    return _solve_all(on_device(problems), method, stop, jnp.asarray(X0)).point.X


def descend_all(
    batch: Batch, X0: Float[np.ndarray, "i s n r"], iterations: int = 200
) -> Float[np.ndarray, "i s n r"]:
    """End points of L-BFGS from every start of every instance.

    Instances run in blocks of one padded shape: empty rows, columns and measurements change
    nothing, and a shape is compiled once.
    """
    count, m, n, _ = batch.A.shape
    r = X0.shape[3]
    order, rows, columns = next(p for p in PADDED if n <= p[0] and m <= p[1] and r <= p[2])
    stop, ends = Stop(gradient=1e-7, max_iterations=iterations), []
    for k in range(0, count, BLOCK):
        A, b, start = batch.A[k : k + BLOCK], batch.b[k : k + BLOCK], X0[k : k + BLOCK]
        gap, extra = BLOCK - len(A), STARTS - X0.shape[1]
        A = np.pad(A, ((0, gap), (0, rows - m), (0, order - n), (0, order - n)))
        start = np.pad(start, ((0, gap), (0, extra), (0, order - n), (0, columns - r)))
        problems = _problems(A, np.pad(b, ((0, gap), (0, rows - m))), columns)
        found = np.asarray(_end_points(problems, LBFGS(memory=5), stop, start))
        ends.append(found[: BLOCK - gap, : X0.shape[1], :n, :r])
    return np.concatenate(ends)


@dataclass(frozen=True)
class Derivatives:
    """Residual, slack, gradient and Hessian of h = ½‖A(XXᵀ) − b‖² at many points."""

    h: Numbers
    slack: Float[np.ndarray, "k n n"]
    gradient: Factors
    hessian: Float[np.ndarray, "k p p"]


def derivatives(A: Float[np.ndarray, "k m n n"], b: np.ndarray, X: Factors) -> Derivatives:
    """Evaluate at point k with the matrices A[k] and the measurements b[k]."""
    k, n, r = X.shape
    AX = np.einsum("kmab,kbr->kmar", A, X)
    residual = np.einsum("kmar,kar->km", AX, X) - b
    S = np.einsum("km,kmab->kab", residual, A)
    J = 2 * AX.reshape(k, -1, n * r)
    hessian = np.einsum("kmp,kmq->kpq", J, J)
    hessian += 2 * np.einsum("kab,rs->karbs", S, np.eye(r)).reshape(k, n * r, n * r)
    return Derivatives(np.sum(residual**2, axis=1) / 2, S, 2 * S @ X, hessian)


def polish(
    A: Float[np.ndarray, "k m n n"], b: np.ndarray, X: Factors, steps: int = POLISH
) -> Factors:
    """Newton's method with a pseudo-inverse (rotations are flat); a step is kept if ‖∇h‖ falls."""
    X = X.copy()
    for _ in range(steps):
        at = derivatives(A, b, X)
        g = at.gradient.reshape(len(X), -1, 1)
        step = (np.linalg.pinv(at.hessian, rcond=1e-10, hermitian=True) @ g).reshape(X.shape)
        there = derivatives(A, b, X - step)
        better = _sizes(there.gradient) < _sizes(at.gradient)
        X[better] -= step[better]
    return X


def _sizes(X: Factors) -> Numbers:
    return np.linalg.norm(X.reshape(len(X), -1), axis=1)


@dataclass(frozen=True)
class Points:
    """Critical points of a batch, with everything the single-step escape asks of them.

    ``instance`` is the index in the batch, ``least`` the least Hessian eigenvalue off the
    rotations over the largest, ``exact`` the exact score, ``efs`` the paper's score with δ = 0,
    ``ncm`` its first term, ``distance`` ‖XXᵀ − M*‖_F², ``unit`` σ_r² Tr(M*).
    """

    instance: Int[np.ndarray, " k"]
    X: Factors
    h: Numbers
    least: Numbers
    exact: Numbers
    amplitude: Numbers
    ncm: Numbers
    efs: Numbers
    distance: Numbers
    cosine: Numbers
    unit: Numbers
    oracles: list[Oracle]

    @property
    def minima(self) -> Bool[np.ndarray, " k"]:
        """Which of them are strict local minima."""
        return self.least > STRICT

    def take(self, chosen: np.ndarray) -> "Points":
        """Return some of the points."""
        kept = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        fields = {k: v for k, v in vars(self).items() if k != "oracles"}
        return Points(
            **{k: v[kept] for k, v in fields.items()}, oracles=[self.oracles[k] for k in kept]
        )

    def distinct(self) -> Int[np.ndarray, " j"]:
        """First of each set of points with one instance and one h, to six digits."""
        keys = np.stack([self.instance, np.round(np.log(self.h), 6)])
        return np.sort(np.unique(keys, axis=1, return_index=True)[1])


def critical_points(
    batch: Batch, ends: Float[np.ndarray, "i s n r"], steps: int = POLISH
) -> Points:
    """Polish end points, keep the spurious critical ones of full rank, and measure them."""
    i, s, n, r = ends.shape
    instance = np.repeat(np.arange(i), s)
    X = ends.reshape(i * s, n, r)
    keep = np.isfinite(X).all(axis=(1, 2))
    instance, X = instance[keep], X[keep]
    b = batch.b[instance]
    full = np.sum(b * b, axis=1) / 2
    high = derivatives(batch.A[instance], b, X).h > ABOVE * full
    instance, X = instance[high], X[high]
    X = polish(batch.A[instance], batch.b[instance], X, steps)
    at = derivatives(batch.A[instance], batch.b[instance], X)
    slope = _sizes(at.gradient) * _sizes(X)
    sigma = np.linalg.svd(X, compute_uv=False)
    good = (at.h > ABOVE * full[high]) & (slope <= CRITICAL * at.h)
    # Truths have unit columns: a smaller factor is the critical point 0, or of lower rank.
    good &= sigma[:, -1] > 1e-4
    return _measured(batch, instance[good], X[good])


def _measured(batch: Batch, instance: np.ndarray, X: Factors) -> Points:
    A, Z = batch.A[instance], batch.Z[instance]
    at = derivatives(A, batch.b[instance], X)
    oracles = [_oracle(a, S, x) for a, S, x in zip(A, at.slack, X, strict=True)]
    exact = [exact_score(o) for o in oracles]
    paper = [paper_score(o, 0.0) for o in oracles]
    M = np.einsum("kar,kbr->kab", Z, Z)
    gap = np.einsum("kar,kbr->kab", X, X) - M
    square = np.sum(gap * gap, axis=(1, 2))
    size = np.sqrt(np.sum(M * M, axis=(1, 2)))
    return Points(
        instance=instance,
        X=X,
        h=at.h,
        least=_least(at.hessian, X.shape[2]),
        exact=np.array([e.score for e in exact]),
        amplitude=np.array([e.amplitude for e in exact]),
        ncm=np.array([p.ncm for p in paper]),
        efs=np.array([p.efs for p in paper]),
        distance=square,
        cosine=np.sum(gap * M, axis=(1, 2)) / (np.sqrt(square) * size),
        unit=np.array([o.sigma**2 for o in oracles]) * np.trace(M, axis1=1, axis2=2),
        oracles=oracles,
    )


def _oracle(A: np.ndarray, S: np.ndarray, X: np.ndarray) -> Oracle:
    """Oracle quantities of one point, by the formulas of section 3."""
    values, vectors = np.linalg.eigh(S)
    V, sigma, Qt = np.linalg.svd(X, full_matrices=False)
    u, v = vectors[:, 0], V[:, -1]
    a_p, a_q = 2 * np.einsum("mab,a,b->m", A, u, v), np.einsum("mab,a,b->m", A, u, u)
    EX = np.einsum("m,mab->ab", a_p, A) @ X
    return Oracle(float(values[0]), u, float(sigma[-1]), v, Qt[-1], a_p, a_q, EX)


def _least(hessian: np.ndarray, r: int) -> Numbers:
    """Least eigenvalue over the largest, without the r(r−1)/2 of smallest size (rotations)."""
    values = np.linalg.eigvalsh(hessian)
    flat = r * (r - 1) // 2
    order = np.argsort(np.abs(values), axis=1)[:, flat:]
    kept = np.take_along_axis(values, order, axis=1)
    return kept.min(axis=1) / np.abs(kept).max(axis=1)


def isometry(batch: Batch, rank: int, rng: np.random.Generator, samples: int = SAMPLED) -> Numbers:
    """Lower bound on each instance's δ over matrices of a rank: the largest deviation sampled."""
    n = batch.A.shape[-1]
    U = rng.standard_normal((samples, n, rank))
    M = np.einsum("sak,sk,sbk->sab", U, rng.standard_normal((samples, rank)), U)
    M /= np.linalg.norm(M, axis=(1, 2), keepdims=True)
    y = np.einsum("imab,sab->ims", batch.A, M, optimize=True)
    return np.max(np.abs(np.sum(y * y, axis=1) - 1), axis=1)


@dataclass(frozen=True)
class Survey:
    """Strict spurious minima of one shape, found from ``runs`` starts; δ by instance."""

    batch: Batch
    minima: Points
    runs: int
    delta: Numbers

    @property
    def n(self) -> int:
        """Order."""
        return self.batch.Z.shape[1]

    @property
    def r(self) -> int:
        """Rank."""
        return self.batch.Z.shape[2]

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.batch.A.shape[1]

    @property
    def name(self) -> str:
        """The shape, for a legend."""
        return f"n {self.n}, r {self.r}, m {self.m}"

    def distinct(self) -> "Survey":
        """Return the same with every minimum once."""
        kept = self.minima.take(self.minima.distinct())
        return Survey(self.batch, kept, self.runs, self.delta)

    @property
    def deltas(self) -> Numbers:
        """Sampled δ of every minimum's instance."""
        return self.delta[self.minima.instance]

    @property
    def efs(self) -> Numbers:
        """EFS with the sampled δ, which may exceed 1."""
        ncm, aic, up = self.minima.ncm, self.minima.efs - self.minima.ncm, 1 + self.deltas
        return ncm / up + aic / up**2


def survey(shape: tuple[int, int, int], count: int, seed: int) -> Survey:
    """Draw ``count`` instances of a shape (n, r, m) and descend from 15 normal starts each."""
    n, r, m = shape
    rng = np.random.default_rng([seed, *shape])
    batch = draw(rng, count, n, r, m)
    X0 = rng.standard_normal((count, STARTS, n, r))
    found = critical_points(batch, descend_all(batch, X0))
    delta = isometry(batch, min(2 * r, n), rng)
    return Survey(batch, found.take(found.minima), count * STARTS, delta)


def falls(batch: Batch, points: Points) -> tuple[Bool[np.ndarray, " k"], Bool[np.ndarray, " k"]]:
    """Whether h falls along u qᵀ, by a dense search; and whether the search can tell.

    It cannot when the exact score is so near 1 that the interval of descent is finer than the
    grid of amplitudes, two decades to either side of σ.
    """
    s = np.geomspace(1e-2, 1e2, 400)
    s = np.r_[-s[::-1], s]
    down = []
    for k, (o, X) in enumerate(zip(points.oracles, points.X, strict=True)):
        A, b = batch.A[points.instance[k]], batch.b[points.instance[k]]
        path = X + (s * o.sigma)[:, None, None] * np.outer(o.u_n, o.q)
        y = np.einsum("sar,mab,sbr->sm", path, A, path, optimize=True)
        h = np.sum((y - b) ** 2, axis=1) / 2
        down.append(bool(np.min(h) < points.h[k] * (1 - 1e-12)))
    return np.array(down, bool), np.abs(points.exact - 1) > 2e-3
