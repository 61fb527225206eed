"""Cells of a phase transition: many recoveries over one set of matrices, as one compiled batch."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.descent import LBFGS, Method, Stop
from liftless.descent.loop import Carry, solve_starts
from liftless.instances.local_search import (
    explicit_rows,
    gram_rows,
    sphere_init,
    subspace_truth,
    svd_init,
)
from liftless.linalg import matrix_distance
from liftless.operators import DenseOperator, SensingOperator, measure
from liftless.problem import Problem
from liftless_papers.compare.origin import traced
from liftless_papers.compare.store import Store
from liftless_papers.experiments.base import Row, Sweep
from liftless_papers.experiments.local.backtracking import Backtracking
from liftless_papers.experiments.local.twin import TwinOperator

#: ‖UUᵀ − X*‖_F / ‖X*‖_F that counts as success in Figure 1.
SUCCESS = 1e-2
#: The two initialisations, in the order of a trial.
STARTS = ("random", "svd")
#: Heights and widths to which problems are padded, so that few shapes are compiled.
HEIGHTS = (128, 256, 512, 1024, 1536, 2048, 2560, 3072, 4096)
WIDTHS = (4, 20)

#: How far descent goes: to convergence, or to a fixed number of plain gradient steps.  A residual
#: of 3e-4 leaves an error of at most 5e-3 wherever m is above the degrees of freedom.
RUNS: dict[str, tuple[Method, Stop]] = {
    "converged": (LBFGS(), Stop(objective=1e-7, gradient=1e-4, max_iterations=250)),
    "capped": (Backtracking(), Stop(objective=1e-7, gradient=0.0, max_iterations=100)),
}


@dataclass(frozen=True)
class Cell:
    """One cell: what decides its result.

    Attributes
    ----------
    run : str
        A key of :data:`RUNS`.
    n, r, m : int
        Order, rank and number of measurements.
    trials : int
        Truths and random starts.
    draw : int
        Number of the set of matrices.
    seed : int
    """

    run: str
    n: int
    r: int
    m: int
    trials: int
    draw: int
    seed: int


#: Fields that tell cells apart in a store.
KEY = tuple(Cell.__dataclass_fields__)


class Trial(NamedTuple):
    """Truth, measurements, and a start of every kind in :data:`STARTS`."""

    Z: Float[np.ndarray, "n r"]
    b: Float[np.ndarray, " m"]
    starts: tuple[np.ndarray, ...]


def run_cells(
    cells: Sequence[Cell], store: Store | None = None, sweep: Sweep | None = None
) -> Iterator[Row]:
    """Run cells in order, or read them from a store that has them.

    Parameters
    ----------
    cells : sequence of Cell
    store : Store, optional
        Open; cells it has are not run again, and every new one is on disk before the next starts.
    sweep : callable, optional
        Called with a function, cells, and what takes each result as soon as it is there; runs the
        cells wherever it likes.  In this process, one after the other, if left out.

    Yields
    ------
    Row
        As :func:`run_cell`.
    """
    known = {_key(row): row for row in (store.rows if store is not None else ())}
    run = partial(traced, run_cell)

    def keep(found: tuple[Row, Row]) -> None:
        row, source = found
        known[_key(row)] = row
        if store is not None:
            store.append(row, source)

    if sweep is not None:
        sweep(run, [cell for cell in cells if _key(asdict(cell)) not in known], keep)
    for cell in cells:
        if _key(asdict(cell)) not in known:
            keep(run(cell))
        yield known[_key(asdict(cell))]


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def run_cell(cell: Cell) -> Row:
    """Recover ``trials`` truths Q Qᵀ from both starts.

    Returns
    -------
    Row
        The fields of the cell, and lists of length ``trials``: the relative errors ``random`` and
        ``svd`` (None where not finite), ``random_iterations`` and ``svd_iterations``.
    """
    operator, trials = draw_cell(cell)
    # Columns of zeros stay zero, so that one compiled width serves several ranks.
    width = min(w for w in (*WIDTHS, max(cell.r, WIDTHS[-1])) if w >= cell.r)
    row: Row = asdict(cell)
    twin = TwinOperator(operator)
    for k, start in enumerate(STARTS):
        X = np.stack([np.pad(t.starts[k], ((0, 0), (0, width - cell.r))) for t in trials])
        b = np.stack([t.b for t in trials])
        ends, iterations = _descend_lanes(twin, b, X, *RUNS[cell.run])
        row[start] = [_error(x[:, : cell.r], t.Z) for x, t in zip(ends, trials, strict=True)]
        row[f"{start}_iterations"] = [int(i) for i in iterations]
    return row


def _error(X: Float[np.ndarray, "n r"], Z: Float[np.ndarray, "n r"]) -> float | None:
    if not np.isfinite(X).all():
        return None
    return matrix_distance(X, Z) / float(np.linalg.norm(Z.T @ Z))


def draw_cell(cell: Cell) -> tuple[DenseOperator, list[Trial]]:
    """Matrices and trials of a cell.

    Notes
    -----
    The trials of one draw share their matrices, so that every product is one of two matrices;
    truths and starts are independent.  The run that follows does not change what is drawn.
    """
    rng = np.random.default_rng([cell.seed, cell.n, cell.r, cell.m, cell.draw])
    operator = _operator(rng, cell)
    trials = []
    for _ in range(cell.trials):
        Z = subspace_truth(rng, cell.n, np.ones(cell.r))
        b = np.asarray(measure(operator, Z, Z))
        random = sphere_init(rng, Z.shape, float(np.linalg.norm(Z)))
        trials.append(Trial(Z, b, (random, svd_init(operator, b, cell.m, cell.r))))
    return operator, trials


def _operator(rng: np.random.Generator, cell: Cell) -> DenseOperator:
    p = cell.n * (cell.n + 1) // 2
    if cell.m > p:
        return DenseOperator(gram_rows(rng, cell.m, cell.n), cell.n, np.float32)
    rows = min((k for k in (*HEIGHTS, p) if k >= cell.m), default=cell.m)
    return DenseOperator(explicit_rows(rng, cell.m, cell.n, rows), cell.n, np.float32)


@double
def _descend_lanes(
    operator: SensingOperator,
    b: Float[np.ndarray, "k m"],
    X: Float[np.ndarray, "k n w"],
    method: Method,
    stop: Stop,
) -> tuple[Float[np.ndarray, "k n w"], Float[np.ndarray, " k"]]:
    problem = on_device(Problem(operator, b[0], 1))
    carry = _batch(problem, method, stop, jnp.asarray(b), jnp.asarray(X))
    return np.asarray(carry.point.X)[:, 0], np.asarray(carry.iteration)[:, 0]


@jax.jit
def _batch(problem: Problem, method: Method, stop: Stop, b: AnyArray, X: AnyArray) -> Carry:
    """Problems that share their operator, one start each."""

    def one(b: AnyArray, x: AnyArray) -> Carry:
        return solve_starts(eqx.tree_at(lambda p: p.b, problem, b), method, stop, x[None])

    return jax.vmap(one)(b, X)
