"""Starts and courses as objects: those of the library, those of a user, and what is refused."""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import liftless as ll
from liftless.account import Account
from liftless.cost import CostModel
from liftless.start import Allowance, checked

PHASE = ll.make_instance("phase", n=6, ratio=4.0, seed=1)


@dataclass(frozen=True)
class NearTheTruth(ll.Start):
    """A start from outside: the truth with an error."""

    truth: np.ndarray
    error: float = 0.1

    def begin(self, problem, seed, allowance):
        noise = np.random.default_rng(seed).standard_normal(self.truth.shape)
        return ll.Begun(self.truth + self.error * noise, spent=7)


def test_a_start_from_outside_works_as_first_and_in_a_course():
    mine = NearTheTruth(PHASE.truth)
    first = ll.recover(PHASE.problem, start=mine)
    assert first.certificate.kind == "exact"
    assert first.history[0]["event"].startswith("start NearTheTruth")
    assert first.nfev >= 7
    course = ll.Course((mine,))
    whole = ll.recover(PHASE.problem, start=course, rounds=2)
    assert whole.certificate.kind == "exact"
    assert whole.rounds == 1


class Wrong(ll.Start):
    def __init__(self, X):
        self.X = X

    def begin(self, problem, seed, allowance):
        return self.X


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.ones((6, 1)), "a Begun"),
        (ll.Begun(np.ones((5, 1))), r"of shape \(6, k\), k <= 1"),
        (ll.Begun(np.ones((6, 2))), r"of shape \(6, k\), k <= 1"),
        (ll.Begun(np.full((6, 1), np.nan)), "not finite"),
        (ll.Begun(np.ones((6, 1), complex)), "real array"),
    ],
)
def test_a_start_that_returns_the_wrong_thing_is_named(X, text):
    with pytest.raises(ll.InvalidInput, match=f"Wrong.begin.*{text}"):
        ll.recover(PHASE.problem, start=Wrong(X))


def test_refusals_name_the_cure():
    with pytest.raises(ll.InvalidInput, match=r"Write start=Spectral\(\)"):
        ll.recover(PHASE.problem, start=ll.Spectral)
    seen = ll.Problem(ll.EntriesOperator([0, 1, 1], [0, 0, 1], 2), np.ones(3), 1)
    with pytest.raises(ll.InvalidInput, match="start='auto' chooses"):
        ll.recover(seen, start=ll.MessagePassing())
    with pytest.raises(ll.InvalidInput, match="made of Start objects"):
        ll.Course(("spectral",))
    with pytest.raises(ll.InvalidInput, match="made of Start objects"):
        ll.Course(())


@pytest.mark.parametrize(
    "start",
    [
        ll.Spectral(),
        ll.Gaussian(),
        ll.OverParameterised(),
        ll.ReweightedTrace(),
        ll.MessagePassing(ready=0.1),
        ll.DouglasRachford(),
    ],
    ids=lambda start: type(start).__name__,
)
def test_every_start_is_deterministic_and_keeps_to_its_allowance(start):
    problem = PHASE.problem
    one, two = (start.begin(problem, 5, Allowance(problem, first=False)) for _ in range(2))
    np.testing.assert_array_equal(one.X, two.X)
    assert checked(one, start, problem).X.shape == (6, 1)
    assert start.suits(problem)
    account = Account(CostModel(problem.operator, 1), 60)
    few = start.begin(problem, 5, Allowance(problem, account, first=False))
    # One stage of the reweighted start, or one step, is the least that can be done.
    assert few.spent + account.spent <= 60 + 31 * 3
    assert "object at" not in str(start)


@pytest.mark.parametrize(
    "start",
    [
        ll.OverParameterised(),
        ll.ReweightedTrace(),
        ll.MessagePassing(ready=0.1),
        ll.DouglasRachford(),
    ],
    ids=lambda start: type(start).__name__,
)
def test_a_start_that_is_looked_after_is_the_same_and_may_be_ended(start):
    """A start that is run in pieces, and one that is told to end hands over what it has."""
    problem, asked = PHASE.problem, []

    def begun(go):
        account = Account(CostModel(problem.operator, 1), seconds=1e9)

        def going(row):
            asked.append(row)
            return go

        allowance = Allowance(problem, account, first=False, going=going)
        return start.begin(problem, 5, allowance)

    whole = start.begin(problem, 5, Allowance(problem, first=False))
    pieces = begun(True)
    assert len(asked) > 1
    assert pieces.spent == whole.spent
    np.testing.assert_allclose(pieces.X @ pieces.X.T, whole.X @ whole.X.T, rtol=1e-6, atol=1e-6)
    ended = begun(False)
    assert np.all(np.isfinite(ended.X))
    assert ended.spent < whole.spent


def test_method_changes_the_local_solve_only():
    """With a method of one's own the starts stay those of the course."""
    usual = ll.recover(PHASE.problem, seed=3)
    other = ll.recover(PHASE.problem, seed=3, method=ll.LBFGS())
    assert usual.history[0] == other.history[0]
    assert other.certificate.kind == "exact"


class Intensities(ll.SensingOperator):
    """|a_i* Z|² summed over the columns: twelve lines make a complex problem."""

    a: np.ndarray

    @property
    def space(self):
        return ll.Hermitian(self.a.shape[1])

    @property
    def m(self):
        return self.a.shape[0]

    def measure(self, U, V):
        P, Q = (self.a.conj() @ self.space.complex(W) for W in (U, V))
        return jnp.sum(jnp.real(P * Q.conj()), axis=1)


class Amplitudes(Intensities):
    """The same with the trait that message passing asks for."""

    def amplitudes(self):
        return self

    def forward(self, X):
        P = jnp.asarray(self.a).conj() @ self.space.complex(X)
        return jnp.concatenate([P.real, P.imag], axis=1)

    def adjoint(self, G):
        r = G.shape[1] // 2
        return self.space.real(jnp.asarray(self.a).T @ (G[:, :r] + 1j * G[:, r:]))

    def lengths(self):
        return jnp.sum(jnp.abs(self.a) ** 2, axis=1)


def complex_problem(kind, n=5, m=24, rank=1, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((m, n)) + 1j * rng.standard_normal((m, n))
    Z = rng.standard_normal((n, rank)) + 1j * rng.standard_normal((n, rank))
    return ll.Problem(kind(a), np.sum(np.abs(a.conj() @ Z) ** 2, axis=1), rank), Z


@pytest.mark.parametrize("kind", [Intensities, Amplitudes])
def test_hermitian_recovery_end_to_end(kind):
    problem, Z = complex_problem(kind)
    assert ll.dot_test(problem.operator).passed
    result = ll.recover(problem)
    assert result.certificate.kind == "exact"
    M = Z @ Z.conj().T
    assert result.matrix.dtype == np.complex128
    np.testing.assert_allclose(result.matrix, M, atol=1e-8 * np.abs(M).max())
    np.testing.assert_allclose(result.factor @ result.factor.conj().T, M, atol=1e-7)
    assert result.factor.shape == Z.shape
    verdict = result.identifiability
    assert (verdict.rank, verdict.dof, verdict.identifiable) == (9, 9, True)
    assert result.history[0]["event"].startswith(
        "start passing" if kind is Amplitudes else "start weight"
    )
    again = ll.recover(problem, start=result.factor)
    assert again.certificate.kind == "exact"


def test_hermitian_with_too_few_measurements_is_not_determined():
    problem, _ = complex_problem(Intensities, m=7)
    with pytest.warns(ll.InputWarning, match="7 measurements are fewer than the 9 degrees"):
        result = ll.recover(problem)
    assert result.identifiability is None or not result.identifiability.identifiable


def test_an_operator_of_one_field_and_a_static_order_needs_no_space():
    class Plain(ll.SensingOperator):
        n: int = eqx.field(static=True)
        m: int = eqx.field(static=True)

        def measure(self, U, V):
            return jnp.full(self.m, jnp.sum(U * V))

    assert Plain(4, 2).space == ll.Symmetric(4)
