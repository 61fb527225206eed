"""Whether the measurements determine the matrix near X, and what else fits: the detectors in turn.

The map X ↦ w ⊙ A(X Xᵀ) is constant along the gauge of the space (X ↦ X Q for a symmetric matrix),
so those directions never count.  The matrix is locally determined when nothing else is lost: when
the rank of the map's Jacobian is the number of degrees of freedom.  The other detectors look for
matrices that fit and are not near, and for reasons why the fit itself says little.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import factor
from liftless._errors import InvalidInput
from liftless._precision import double
from liftless.cost import dense_jacobian
from liftless.identify.accuracy import ACCURATE, error_estimate
from liftless.identify.fit import Fit
from liftless.identify.generic import looks_generic
from liftless.identify.groups import free_signs
from liftless.identify.jacobian import DOUBTFUL, MOST, Null, dense_null, free_null, scaled_null
from liftless.identify.mirrors import Mirrored, examined, mirrored_part, mirrored_row
from liftless.identify.rows import reduced, settled
from liftless.identify.search import second_fit
from liftless.identify.spread import probed_spread, spread, whole
from liftless.identify.symmetries import symmetric_fit
from liftless.identify.unseen import unseen_rows
from liftless.identify.verdict import DOUBTS, OPEN, Evidence, Verdict, open_lines
from liftless.identify.zeros import Forced, forced
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]
Directions = Float[np.ndarray, "d n r"]

GENERIC = (
    "The measurements look drawn at random, and are more than the degrees of freedom: a matrix "
    "fixed before the draw has no double, with probability one."
)
_UNCERTAIN = "Some rows are so small that the accuracy of the fit does not tell them from zero."

METHODS = (None, "dense", "matrix-free", "none")


@double
def identifiability(
    problem: Problem, X: Any, *, method: str | None = None, fitted: bool = False
) -> Verdict:
    """Compare the rank of the Jacobian of X ↦ w ⊙ A(X Xᵀ) with the degrees of freedom.

    Parameters
    ----------
    problem : Problem
        Operator and row weights matter.
    X : array of shape (n, p)
        Any width.  It is first reduced to as many columns as its rank (zero columns and padding
        drop out), and judged among matrices of that rank.
    method : {None, "dense", "matrix-free", "none"}
        By default none is needed if m < dof, the dense one where that is quick
        (:func:`liftless.cost.dense_jacobian`), and the matrix-free one above.  With "none" the
        Jacobian's rank is left out, and only what is quick at any size is looked at.
    fitted : bool
        Whether X is meant to fit b.  Then b and the loss matter too: how accurate the fit is, which
        readings are zero, and whether the loss has a minimiser at all.

    Returns
    -------
    Verdict

    Raises
    ------
    InvalidInput
        If ``X`` is zero or no finite (n, p) array, or the method unknown.

    Notes
    -----
    A full rank is a local statement: no other matrix of that rank *near* X has the same
    measurements.  A lower rank is a first-order statement: a curve of matrices with the same
    measurements leaves X unless higher-order terms forbid it.  The other detectors look for
    matrices that are not near; :attr:`Verdict.reach` says how far.
    """
    if method not in METHODS:
        raise InvalidInput("method", repr(method), "None, 'dense', 'matrix-free' or 'none'")
    return examine(Fit(problem, factor("X", X, problem.n)), method, fitted)


@double
def examine(fit: Fit, method: str | None = None, fitted: bool = True) -> Verdict:
    """See :func:`identifiability`; for a fit of which something may be known already."""
    clean = settled(fit, fitted)
    verdict = _examined(clean, method, fitted)
    if clean is fit or not verdict.open:
        return verdict
    # Were the rows that were taken for nothing the cause?
    other = _examined(fit, method, fitted)
    return other if other.open else _with(other, Evidence("rows", "rough", _UNCERTAIN))


def _examined(fit: Fit, method: str | None, fitted: bool) -> Verdict:
    """Every detector, on the null space of the zero readings where there are any."""
    problem, fit = fit.problem, reduced(fit)
    X = fit.X
    zeros = forced(fit, fitted=fitted)
    if zeros is None:
        verdict = _judged(fit, method, fitted)
    else:
        verdict = _on_null_space(zeros, X, problem.space, method, fitted)
    if X.shape[1] < problem.rank:
        text = f" X has rank {X.shape[1]} < {problem.rank} and is judged among those."
        verdict = dataclasses.replace(verdict, message=verdict.message + text)
    return verdict


def _with(verdict: Verdict, one: Evidence) -> Verdict:
    """Add a doubt to a verdict."""
    evidence = (*verdict.evidence, one)
    null = verdict.null if verdict.free_rows is not None else None
    words = _words(list(evidence), verdict.method, null, verdict.factor, verdict.space)
    return dataclasses.replace(verdict, evidence=evidence, identifiable=False, message=words)


def _inside(zeros: Forced, fitted: bool) -> Fit:
    """Factor on the null space, its rows and columns that are nothing left out."""
    return reduced(settled(Fit(zeros.problem, zeros.Y), fitted))


def _on_null_space(
    zeros: Forced, X: Factor, space: Any, method: str | None, fitted: bool
) -> Verdict:
    """Judge what the zero readings leave, and say it of X."""
    inner = zeros.problem.operator.space
    verdict = _judged(_inside(zeros, fitted), method, fitted)
    text = (
        f"{zeros.count} readings of zero leave {inner.lines} of {space.lines} dimensions, in which "
        "the rest was judged."
    )
    evidence = [*verdict.evidence, Evidence("zeros", "clear", text)]
    error = verdict.error_estimate
    if fitted:
        error = 0.0 if math.isnan(error) else error
        error = error + 2 * zeros.outside
        if zeros.outside > ACCURATE / 2 and "rough" not in verdict.findings:
            evidence.append(_rough(error))
    back = [
        one if one.other is None else dataclasses.replace(one, other=zeros.basis @ one.other)
        for one in evidence
    ]
    null = np.einsum("nk,dkr->dnr", zeros.basis, verdict.null)
    words = _words(back, verdict.method, null, X, space)
    return dataclasses.replace(
        verdict,
        evidence=tuple(back),
        identifiable=_whole(back),
        message=words,
        free_rows=None if verdict.free_rows is None else open_lines(null, X, space),
        null=null,
        factor=X,
        space=space,
        error_estimate=error,
    )


def _judged(fit: Fit, method: str | None, fitted: bool) -> Verdict:
    """Every detector in turn, and everything in words."""
    X, space = fit.X, fit.problem.space
    dof = space.degrees_of_freedom(X.shape[1])
    local, method = _local(fit, dof, method)
    null = None if method in ("count", "none") else local.directions
    evidence = list(_near(fit, local, dof, method))
    error, doubts = _of_fit(fit, local, dof) if fitted else (math.nan, [])
    evidence += doubts
    evidence += _discrete(fit, dof, tuple(evidence))
    return Verdict(
        evidence=tuple(evidence),
        rank=local.rank,
        dof=dof,
        identifiable=_whole(evidence),
        gap=local.gap,
        method=method,
        message=_words(evidence, method, null, X, space),
        free_rows=None if null is None else open_lines(null, X, space),
        null=local.directions,
        factor=X,
        space=space,
        error_estimate=error,
    )


def _of_fit(fit: Fit, local: Null, dof: int) -> tuple[float, list[Evidence]]:
    """Error estimate of a fit, and what speaks against it."""
    problem = fit.problem
    attained = problem.loss.attained(fit.b)[fit.used]
    if not attained.all():
        return math.nan, [_no_minimiser(int(np.sum(~attained)))]
    if local.rank < dof or not problem.loss.quadratic:
        return math.nan, []
    error = error_estimate(fit, dof, local.gap, local.top)
    known = math.isnan(error) or error <= ACCURATE
    return error, [] if known else [_rough(error)]


def _local(fit: Fit, dof: int, method: str | None) -> tuple[Null, str]:
    """Null space of the Jacobian, as far as it was looked at, and how it was found."""
    problem, X = fit.problem, fit.X
    used = int(np.count_nonzero(fit.used))
    nothing = np.zeros((0, *X.shape))
    if used < dof and method is None:
        return Null(used, math.nan, math.nan, nothing), "count"
    if method == "none":
        return Null(0, math.nan, math.nan, nothing), "none"
    if method is None:
        method = "dense" if dense_jacobian(problem.m, X.size) else "matrix-free"
    find = dense_null if method == "dense" else free_null
    found = find(problem, X)
    if fit.q is not None and (found.rank < dof or found.gap < DOUBTFUL):
        again = scaled_null(fit.q)
        if again.rank > found.rank:
            found = again
    return found, method


def _near(fit: Fit, local: Null, dof: int, method: str) -> Iterator[Evidence]:
    """What holds near X."""
    if method == "none":
        rows = unseen_rows(fit.problem, fit.X)
        text = "The Jacobian's rank was not computed: too large a problem."
        yield Evidence("jacobian", "not examined", text)
        if rows.size:
            names = fit.problem.operator.space.named(rows)
            yield Evidence("unseen", "curve", f"No measurement sees {names} ({rows.size}).")
        return
    if method == "count":
        text = f"{local.rank} measurements for {dof} degrees of freedom."
    else:
        text = f"Jacobian of rank {local.rank} for {dof} degrees of freedom (gap {local.gap:.1e})."
    # The null space beyond the gauge decides; the count of the rank says it in numbers.
    curve = local.rank < dof or local.directions.shape[0] > 0
    yield Evidence("jacobian", "curve" if curve else "determined", text)


def _discrete(fit: Fit, dof: int, before: tuple[Evidence, ...]) -> Iterator[Evidence]:
    """Fits that are not near X, the cheap detectors first."""
    # All dimensions of the matrices can be spanned only by as many measurements.
    many = fit.q is not None and len(fit.q.A) >= whole(fit.q)
    span = spread(fit.q) if fit.q is not None and many else None
    if fit.q is not None and span == whole(fit.q):
        yield Evidence("spread", "proved", "The measurements determine every entry linearly.")
        return
    tied = _tied(fit)
    yield tied
    if tied.finding == "signs" or any(one.finding == "curve" for one in before):
        return
    few = _spread(fit, dof, span)
    if few.finding == "clear" and looks_generic(fit):
        yield Evidence("search", "generic", GENERIC)
        return
    mirror = _mirrors(fit)
    yield mirror
    if mirror.finding == "second fit":
        return
    same = symmetric_fit(fit)
    if same is not None:
        text = f"The {same[0]} of the factor has the same measurements."
        yield Evidence("symmetries", "second fit", text, same[1])
        return
    yield few
    # Where the fit is no fit, others of what it measures say nothing.
    if not any(one.finding in DOUBTS for one in before):
        yield _searched(fit)


def _tied(fit: Fit) -> Evidence:
    free = free_signs(fit.problem, fit.X)
    if free is None:
        text = "The ties between rows were not examined: too many numbers to look at."
        return Evidence("groups", "not examined", text)
    if not free:
        return Evidence("groups", "clear", "All rows are tied together.")
    text = f"No measurement links {free} groups of rows, whose relative signs are open."
    mirror = mirrored_part(fit) if fit.problem.operator.space.name == "symmetric" else None
    return Evidence("groups", "signs", text, None if mirror is None else mirror.factor)


def _mirrors(fit: Fit) -> Evidence:
    space = fit.problem.operator.space
    if space.name != "symmetric":
        # Over the complex numbers, and where U and V turn apart, what is open is a curve.
        return Evidence("mirrors", "clear", "No part of the rows has a mirror image of its own.")
    whole = examined(fit.problem, fit.X)
    found: Mirrored | None = mirrored_part(fit) if whole else None
    found = mirrored_row(fit) if found is None else found
    if found is not None:
        names = space.named(found.rows)
        text = f"A mirror image of {names} leads to another matrix that fits as well."
        return Evidence("mirrors", "second fit", text, found.factor)
    if not whole:
        text = "Mirror images of several rows were not examined: too many hyperplanes."
        return Evidence("mirrors", "not examined", text)
    return Evidence("mirrors", "clear", "No mirror image of a row leads to another fit.")


def _spread(fit: Fit, dof: int, span: int | None) -> Evidence:
    """Dimensions of the measurements against those of the matrices."""
    found = probed_spread(fit, dof + 2) if span is None else span
    if found is None:
        text = "How many dimensions the measurements span was not examined: too much work."
        return Evidence("spread", "not examined", text)
    if found > dof:
        return Evidence("spread", "clear", f"The measurements span more than {dof} dimensions.")
    text = f"The measurements span {found} dimensions, no more than the {dof} degrees of freedom."
    return Evidence("spread", "few", text)


def _searched(fit: Fit) -> Evidence:
    width = max(fit.problem.rank, fit.X.shape[1])
    found = None if fit.q is None else second_fit(fit.q, width)
    if fit.q is None or found is None:
        text = "No search for other fits was made: too large a problem."
        return Evidence("search", "not examined", text)
    if found.other is not None:
        other = found.other * fit.q.lengths[:, None]
        rank = int(np.linalg.matrix_rank(found.other, 1e-6))
        text = f"Another matrix of rank {rank} fits as well: relative distance {found.apart:.1g}."
        return Evidence("search", "second fit", text, other)
    ends = f"{found.returned} of {found.starts} independent starts ended at an exact fit"
    if not found.returned:
        return Evidence("search", "not examined", f"{ends}: the search says nothing.")
    return Evidence("search", "searched", f"{ends}, each at this matrix.")


def _no_minimiser(count: int) -> Evidence:
    text = f"{count} of the data are fitted better the larger the matrix is: nothing is least."
    return Evidence("loss", "no minimiser", text)


def _rough(error: float) -> Evidence:
    text = f"By the residual and the least singular value the relative error may be {error:.0e}."
    return Evidence("accuracy", "rough", text)


def _whole(evidence: list[Evidence]) -> bool:
    return not any(one.finding in (*OPEN, *DOUBTS) for one in evidence)


def _words(
    evidence: list[Evidence], method: str, null: Directions | None, X: Factor, space: Any
) -> str:
    """The verdict in a few sentences: how far it reaches, and why."""
    findings = [one.finding for one in evidence]
    if any(finding in OPEN for finding in findings):
        head = "not identifiable"
    elif "no minimiser" in findings:
        head = "there is no minimiser"
    elif "rough" in findings:
        head = "not told apart from others near it"
    elif "few" in findings:
        head = "unique near this one only, as far as is known"
    elif "proved" in findings:
        head = "identifiable"
    elif "generic" in findings:
        head = "identifiable, if the measurements are as random as they look"
    elif "searched" in findings:
        head = "identifiable, as far as a search from independent starts tells"
    else:
        head = "identifiable near this one"
    words = [f"{head}: {evidence[0].text}"]
    words += [
        one.text for one in evidence[1:] if one.finding in (*OPEN, *DOUBTS, "proved", "generic")
    ]
    words += [one.text for one in evidence[1:] if one.detector == "zeros"]
    if null is not None:
        lines = open_lines(null, X, space)
        if lines.size:
            words.append(f"Undetermined: {space.named(lines)} ({lines.size} of {space.lines}).")
        if null.shape[0] >= MOST and method == "matrix-free":
            words.append(f"At least {MOST} directions are open: the rank may be lower.")
    return " ".join(words)
