"""The escape that simulates the lifted descent."""

import numpy as np
import pytest
from lifted_tools import closed_form, point

from liftless import InvalidInput, certify, make_instance, recover
from liftless.lifted import (
    LiftedEscape,
)

#: Closed form against tensors: instance, order.


@pytest.mark.parametrize("name", ["basic", "real-world", "pmc"])
def test_escape_is_sorted_repeatable_and_matches_its_rules(name):
    problem, X = point(name)
    certificate = certify(problem, X)
    found = LiftedEscape().candidates(problem, X, certificate)
    values = [c.objective_at for c in found]
    assert values == sorted(values)
    assert values[0] < certificate.objective
    assert [c.summary() for c in LiftedEscape().candidates(problem, X, certificate)] == [
        c.summary() for c in found
    ]
    for c in found:
        assert c.objective_at == pytest.approx(float(problem.objective(c.point)), abs=1e-15)
        fields = dict(part.split("=") for part in c.note.split())
        _, _, form = closed_form(name, int(fields["order"]), 0.1, 0.1)
        size = form.beta if c.kind == "lifted-beta" else form.gamma
        assert c.amplitude == pytest.approx(size(float(fields["steps"])), rel=1e-4)


def test_norm_matching():
    """Just inside U_γ of completion at order 3 the jump keeps the norm of X̂."""
    problem, X = point("pmc")
    found = LiftedEscape(orders=(3,)).candidates(problem, X, certify(problem, X))
    (norm,) = [c for c in found if "rule=norm" in c.note]
    assert np.linalg.norm(norm.point) == pytest.approx(np.linalg.norm(X), rel=1e-5)


def test_escape_at_rank_two_and_at_the_truth():
    problem, X = point("r2")
    certificate = certify(problem, X)
    kinds = {c.kind for c in LiftedEscape().candidates(problem, X, certificate)}
    assert kinds <= {"lifted-gamma"}
    instance = make_instance("basic")
    best = certify(instance.problem, instance.truth)
    if best.lambda_n >= 0:
        assert LiftedEscape().candidates(instance.problem, instance.truth, best) == []
    with pytest.raises(InvalidInput, match="orders"):
        LiftedEscape(orders=())
    with pytest.raises(InvalidInput, match="order"):
        LiftedEscape(orders=(4,))


def test_escape_within_recovery():
    instance = make_instance("real-world")
    start = instance.points[0].X
    found = recover(instance.problem, start=start, escape=LiftedEscape())
    assert instance.distance(found.factor) < 1e-6
    assert found.escapes[0].kind.startswith("lifted")
