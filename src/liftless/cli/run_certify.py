"""``liftless certify``."""

from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, positive_int, real_number
from liftless._errors import InvalidInput
from liftless._version import __version__
from liftless.certificate import Certificate
from liftless.certificate import certify as certify_point
from liftless.cli.compilation import enable_cache
from liftless.cli.messages import coloured, emit, emit_json, emit_table, lambda_row
from liftless.cli.options import CertifyOptions, sides
from liftless.io import load_factor, load_problem
from liftless.io.results import distances
from liftless.recovery import CERTIFIED, NOT_CONVERGED, UNCERTIFIED
from liftless.space import Space


def run(options: CertifyOptions) -> int:
    """Certify a factor and print the verdict."""
    for name in ("noise", "trace_bound"):
        value = getattr(options, name)
        if value is not None:
            real_number(name, value, least=0.0)
    loaded = load_problem(
        options.file,
        1,
        shape=sides(options.shape),
        rectangular=options.rectangular or None,
        index_base=options.index_base,
    )
    X = _factor(options.factor, loaded.problem.space, options.rank)
    problem = loaded.problem.with_rank(X.shape[1])
    enable_cache(quiet=True)
    truth = loaded.truth
    other = None if truth is None or truth.shape[1] > problem.rank else truth
    found = certify_point(
        problem, X, noise=options.noise, trace_bound=options.trace_bound, other=other
    )
    status = _status(found)
    fields = found.summary()
    fields |= {"optimal": bool(found.certified), "status": status, "problem": loaded.kind}
    fields |= {"semidefinite": found.semidefinite}
    fields |= {"n": problem.n, "m": problem.m, "rank": problem.rank, "version": __version__}
    fields |= distances(X, loaded.truth, problem.operator.space)
    if options.as_json:
        emit_json(fields)
    else:
        _report(fields, loaded.label)
    return status


def _factor(path: str, space: Space, rank: int | None) -> Float[np.ndarray, "n r"]:
    """Read the factor, at the width of the rank if one is given."""
    X, n = factor("factor", load_factor(path, space), space.n), space.most_columns
    if X.shape[1] > n:
        raise InvalidInput("factor", describe(X), f"at most n = {n} columns wide")
    if rank is None:
        return X
    rank = positive_int("rank", rank, most=n)
    used = X[:, np.any(X != 0, axis=0)]
    if used.shape[1] > rank:
        must = f"at least {used.shape[1]}, the nonzero columns of the factor"
        raise InvalidInput("rank", rank, must)
    X = X if X.shape[1] <= rank else used
    return np.pad(X, ((0, 0), (0, rank - X.shape[1])))


def _status(found: Certificate) -> int:
    if found.success:
        return CERTIFIED
    return NOT_CONVERGED if found.kind == "unfinished" else UNCERTIFIED


def _report(fields: dict[str, Any], label: str) -> None:
    emit(coloured(fields["message"], fields["status"]))
    rows = [
        ("problem", f"{label}, n {fields['n']}, m {fields['m']}"),
        ("rank", f"{fields['rank']}"),
        ("objective h", f"{fields['objective']:.6g} (relative {fields['relative_objective']:.3g})"),
        ("lower bound", f"{fields['lower_bound']:.6g} (assumes: {fields['assumption']})"),
        *lambda_row(fields),
        ("gradient norm", f"{fields['gradient_norm']:.3g}"),
        ("Hessian", f"{fields['hessian_least']:.6g} to {fields['hessian_largest']:.6g}"),
    ]
    if "distance" in fields:
        text = f"{fields['distance']:.3g} (relative {fields['relative_distance']:.3g})"
        rows.append(("distance to truth", text))
    emit_table(rows)
