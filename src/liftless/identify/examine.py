"""Whether the measurements determine the matrix near X, and what else fits: the detectors in turn.

The map X ↦ w ⊙ A(X Xᵀ) is constant along the gauge of the space (X ↦ X Q for a symmetric matrix),
so those directions never count.  The matrix is locally determined when nothing else is lost: when
the rank of the map's Jacobian is the number of degrees of freedom.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import factor
from liftless._errors import InvalidInput
from liftless._precision import double, on_device
from liftless.cost import dense_jacobian
from liftless.identify.groups import free_signs
from liftless.identify.jacobian import MOST, dense_null, free_null
from liftless.identify.mirrors import mirrored_fit
from liftless.identify.verdict import Evidence, Verdict, open_lines
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]


@double
def identifiability(problem: Problem, X: Any, *, method: str | None = None) -> Verdict:
    """Compare the rank of the Jacobian of X ↦ w ⊙ A(X Xᵀ) with the degrees of freedom.

    Parameters
    ----------
    problem : Problem
        Operator and row weights matter; b, the loss and the regularisers do not.
    X : array of shape (n, p)
        Any width.  It is first reduced to as many columns as its rank (zero columns and padding
        drop out), and judged among matrices of that rank.
    method : {None, "dense", "matrix-free"}
        By default none is needed if m < dof, the dense one where that is quick
        (:func:`liftless.cost.dense_jacobian`), and the matrix-free one above.

    Returns
    -------
    Verdict

    Raises
    ------
    InvalidInput
        If ``X`` is zero or no finite (n, p) array, or the method unknown.

    Notes
    -----
    Identifiable here is local: no other matrix of that rank *near* X has the same measurements.
    A lower rank of the Jacobian is a first-order statement: a curve of matrices with the same
    measurements leaves X unless higher-order terms forbid it.  The other detectors look for
    matrices that are not near.
    """
    if method not in (None, "dense", "matrix-free"):
        raise InvalidInput("method", repr(method), "None, 'dense' or 'matrix-free'")
    space = problem.operator.space
    X = space.reduced(factor("X", X, problem.n))
    dof = space.degrees_of_freedom(X.shape[1])
    used = int(np.count_nonzero(np.asarray(problem.weights)))
    if used < dof and method is None:
        return _verdict(problem, X, used, dof, math.nan, "count", None)
    if method is None:
        method = "dense" if dense_jacobian(problem.m, X.size) else "matrix-free"
    find = dense_null if method == "dense" else free_null
    found, gap, null = find(on_device(problem), X)
    return _verdict(problem, X, found, dof, gap, method, null)


def _verdict(
    problem: Problem,
    X: Factor,
    found: int,
    dof: int,
    gap: float,
    method: str,
    null: Float[np.ndarray, "d n r"] | None,
) -> Verdict:
    """Ask the other detectors, and put everything in words."""
    space = problem.operator.space
    evidence = [_first_order(found, dof, gap, method, null), *_discrete(problem, X, found == dof)]
    whole = all(one.finding in ("determined", "clear", "not examined") for one in evidence)
    words = [f"{'locally identifiable' if whole else 'not identifiable'}: {evidence[0].text}"]
    words += [one.text for one in evidence[1:] if one.finding in ("signs", "second fit")]
    lines = None if null is None else open_lines(null, X, space)
    if lines is not None and lines.size:
        words.append(f"Undetermined: {space.named(lines)} ({lines.size} of {space.lines}).")
    if null is not None and null.shape[0] >= MOST and method == "matrix-free":
        words.append(f"At least {MOST} directions are open: the rank may be lower.")
    if X.shape[1] < problem.rank:
        words.append(f"X has rank {X.shape[1]} < {problem.rank} and is judged among those.")
    return Verdict(
        evidence=tuple(evidence),
        rank=found,
        dof=dof,
        identifiable=whole,
        gap=gap,
        method=method,
        message=" ".join(words),
        free_rows=lines,
        null=np.zeros((0, *X.shape)) if null is None else null,
        factor=X,
        space=space,
    )


def _first_order(
    found: int, dof: int, gap: float, method: str, null: Float[np.ndarray, "d n r"] | None
) -> Evidence:
    if method == "count":
        text = f"{found} measurements for {dof} degrees of freedom."
    else:
        text = f"Jacobian of rank {found} for {dof} degrees of freedom (gap {gap:.1e})."
    # The null space beyond the gauge decides; the count of the rank says it in numbers.
    curve = found < dof or (null is not None and null.shape[0] > 0)
    return Evidence("jacobian", "curve" if curve else "determined", text)


def _discrete(problem: Problem, X: Factor, full: bool) -> Iterator[Evidence]:
    """Fits that are not near X."""
    free = free_signs(problem, X)
    if free is None:
        text = "The ties between rows were not examined: too many numbers to look at."
        yield Evidence("groups", "not examined", text)
    elif free:
        text = f"No measurement links {free} groups of rows, whose relative signs are open."
        yield Evidence("groups", "signs", text)
    else:
        yield Evidence("groups", "clear", "All rows are tied together.")
    if not full or free:
        return
    mirror = mirrored_fit(problem, X)
    if mirror is None:
        yield Evidence("mirrors", "clear", "No mirror image of a row leads to another fit.")
        return
    name = problem.operator.space.line_name(mirror[0])
    text = f"A mirror image of {name} leads to another matrix that fits as well."
    yield Evidence("mirrors", "second fit", text, mirror[1])
