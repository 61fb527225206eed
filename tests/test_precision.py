"""Float64 whatever the caller's setting, no side effects, traced inside jit and vmap."""

import json
import subprocess
import sys
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tables import LOSSES, OPERATORS, N, R, make_problem

from liftless import _compiled
from liftless.operators import DenseOperator, SensingOperator, measure
from liftless.problem import Problem

# Run without the 64-bit flag, without this suite's settings, and with warnings as errors.
SINGLE = """
import importlib, json, pkgutil
import jax, numpy as np
before = dict(jax.config.values)
import liftless
for module in pkgutil.walk_packages(liftless.__path__, "liftless."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
changed = sorted(k for k, v in jax.config.values.items() if before.get(k, v) != v)

from liftless.operators import DenseOperator, dot_test
from liftless.problem import Problem
from liftless.regularisers import Balance, Ridge
rng = np.random.default_rng(0)
A = rng.standard_normal((7, 4, 4))
A += A.transpose(0, 2, 1)
X, D, b = rng.standard_normal((4, 2)), rng.standard_normal((4, 2)), rng.standard_normal(7)
operator = DenseOperator.from_matrices(A)
plain = Problem(operator, b, 2)
rich = Problem(operator, b, 2, weights=np.ones(7), regularisers=(Ridge(0.1), Balance(2)))
objective = plain.objective(X)
exact = np.sum((np.einsum("mij,ij->m", A, X @ X.T) - b) ** 2) / 2
M_bar = np.einsum("mij,m->ij", A, np.einsum("mij,ij->m", A, X @ X.T) - b)
line = rich.line(X, D)
results = dict(
    objective=objective, residual=plain.residual(X), gradient=plain.gradient(X),
    slack=plain.slack(X, D), hessian=rich.hessian_product(X, D), along=rich.along(X, D),
    value=line.value(0.5), step=line.first_minimiser(),
    of_jax=plain.objective(jax.numpy.asarray(X)),
)
single = jax.jit(lambda X: rich.objective(X))(X)
many = jax.vmap(rich.gradient)(np.stack([X, D]))
print(json.dumps(dict(
    changed=changed,
    types={k: [type(v).__module__, str(v.dtype)] for k, v in results.items()},
    objective_error=abs(objective - exact) / exact,
    gradient_error=float(np.abs(results["gradient"] - 2 * M_bar @ X).max()),
    line_error=abs(line.value(0.5) - rich.objective(X + 0.5 * D)) / rich.objective(X),
    dot_test=dot_test(operator).passed,
    single=[str(single.dtype), str(many.dtype)],
    single_error=abs(float(single) - rich.objective(X)) / exact,
    still_single=str(jax.numpy.ones(1).dtype),
)))
"""


@pytest.fixture(scope="module")
def without_x64():
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SINGLE], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_results_are_float64_numpy_without_the_flag(without_x64):
    for name, (module, dtype) in without_x64["types"].items():
        assert (module, dtype) == ("numpy", "float64"), name
    assert without_x64["objective_error"] < 1e-13
    assert without_x64["gradient_error"] < 1e-11
    assert without_x64["line_error"] < 1e-13
    assert without_x64["dot_test"]


def test_importing_changes_no_setting_and_using_leaves_none_behind(without_x64):
    assert without_x64["changed"] == []
    assert without_x64["still_single"] == "float32"


def test_inside_a_callers_jit_the_callers_precision_holds(without_x64):
    assert without_x64["single"] == ["float32", "float32"]
    assert 0 < without_x64["single_error"] < 1e-4


METHODS = {
    "objective": lambda p, X, D: p.objective(X),
    "residual": lambda p, X, D: p.residual(X),
    "gradient": lambda p, X, D: p.gradient(X),
    "slack": lambda p, X, D: p.slack(X, D),
    "hessian_product": lambda p, X, D: p.hessian_product(X, D),
    "line value": lambda p, X, D: p.line(X, D).value(0.3),
    "line minimiser": lambda p, X, D: p.line(X, D).first_minimiser(),
}


@pytest.mark.parametrize("loss", [row.name for row in LOSSES])
@pytest.mark.parametrize("name", METHODS)
def test_vmap_is_the_loop_and_stays_traced(name, loss):
    problem = make_problem("dense", loss, "ridge and balance", weighted=True).problem
    method = METHODS[name]
    X, D = np.random.default_rng(0).standard_normal((2, 3, N, R))
    together = jax.jit(jax.vmap(method, (None, 0, 0)))(problem, X, D)
    assert isinstance(together, jax.Array)
    one_by_one = np.stack([method(problem, x, d) for x, d in zip(X, D, strict=True)])
    np.testing.assert_allclose(together, one_by_one, rtol=1e-11, atol=1e-13)
    compiled = jax.jit(method)(problem, X[0], D[0])
    assert isinstance(compiled, jax.Array)
    np.testing.assert_allclose(compiled, one_by_one[0], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("case", OPERATORS, ids=lambda case: case.name)
def test_vmap_over_factors_is_the_loop(case):
    operator, _ = case()
    U, V = np.random.default_rng(0).standard_normal((2, 3, case.n, R))
    together = jax.jit(jax.vmap(measure, (None, 0, 0)))(operator, U, V)
    one_by_one = [measure(operator, u, v) for u, v in zip(U, V, strict=True)]
    np.testing.assert_allclose(together, one_by_one, rtol=max(case.tolerance, 1e-12), atol=1e-12)


def test_vmap_over_problems_is_the_loop():
    rng = np.random.default_rng(0)
    operator = OPERATORS[0]()[0]
    X = rng.standard_normal((N, R))
    problems = [Problem(operator, rng.standard_normal(operator.m), R) for _ in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
    together = jax.vmap(lambda p: p.objective(X))(stacked)
    np.testing.assert_allclose(together, [p.objective(X) for p in problems], rtol=1e-13)


def test_a_callers_derivative_goes_through_the_entry_points():
    problem = make_problem("rank one", "logistic", "ridge").problem
    X = np.random.default_rng(0).standard_normal((N, R))
    np.testing.assert_allclose(jax.grad(problem.objective)(X), problem.gradient(X), rtol=1e-11)


def test_arguments_may_be_named():
    problem = make_problem("dense").problem
    X, D = np.random.default_rng(0).standard_normal((2, N, R))
    assert problem.objective(X=X) == problem.objective(X)
    np.testing.assert_array_equal(problem.slack(X=X, W=D), problem.slack(X, D))


class Counting(SensingOperator):
    """Counts how often its Python code runs, that is, how often it is traced."""

    packed: DenseOperator
    n: int = eqx.field(static=True, default=N)
    traces: ClassVar[list] = []

    @property
    def m(self):
        return self.packed.m

    def measure(self, U, V):
        self.traces.append(1)
        return self.packed.measure(U, V)


def test_nothing_is_traced_again_for_new_values():
    rng = np.random.default_rng(0)
    problems = [
        Problem(Counting(OPERATORS[0](seed=seed)[0]), rng.standard_normal(7), R) for seed in (0, 1)
    ]
    counts = []
    for problem in (problems[0], problems[0], problems[1]):
        X, D = rng.standard_normal((2, N, R))
        problem.objective(X)
        problem.gradient(X)
        problem.hessian_product(X, D)
        problem.slack(X, D)
        problem.along(X, D)
        line = problem.line(X, D)
        line.value(rng.random())
        line.first_minimiser()
        counts.append(len(Counting.traces))
    assert counts[0] > 0
    assert counts == counts[:1] * 3


def test_programs_of_many_shapes_are_dropped(monkeypatch):
    dropped = []
    monkeypatch.setattr(_compiled, "MOST", 2)
    monkeypatch.setattr(_compiled, "_shapes", set())
    monkeypatch.setattr(jax, "clear_caches", lambda: dropped.append(True))
    before = _compiled.generation()
    for n in (1, 2, 1, 2, 3, 3, 1):
        _compiled.meet({"b": np.zeros(n)})
    assert len(dropped) == _compiled.generation() - before == 1
