"""Complex problems end to end: operators, files, the command line."""

import numpy as np
import pytest
from cli_tools import run, strict_json

import liftless as ll
from liftless.io import load_problem, save_problem

N, M = 5, 24


def draw(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def data(rank=1, seed=0, n=N, m=M):
    """Complex rows and a signal, with what is measured by the formula of the documentation."""
    rng = np.random.default_rng(seed)
    a, Z = draw(rng, m, n), draw(rng, n, rank)
    return a, Z, np.sum(np.abs(a.conj() @ Z) ** 2, axis=1)


KINDS = {
    "rank one": ll.ComplexRankOneOperator,
    "matrices": lambda a: ll.HermitianOperator(np.einsum("mi,mj->mij", a, a.conj())),
}


def test_matrices_of_rank_one_have_the_trait_that_rows_have():
    a, _, _ = data()
    found = KINDS["matrices"](a).amplitudes()
    phases = (
        np.sum(found.a * a.conj(), axis=1, keepdims=True) / np.sum(np.abs(a) ** 2, axis=1)[:, None]
    )
    np.testing.assert_allclose(np.abs(phases), 1, rtol=1e-12)
    np.testing.assert_allclose(found.a, phases * a, atol=1e-12)
    assert KINDS["matrices"](np.r_[a, a[:1]])[[0, 24]].amplitudes() is not None
    assert ll.HermitianOperator(np.eye(2)[None]).amplitudes() is None


@pytest.mark.slow
def test_dense_hermitian_matrices_of_full_rank_recover_rank_two():
    rng = np.random.default_rng(1)
    A = draw(rng, 40, 4, 4)
    A, Z = A + A.conj().transpose(0, 2, 1), draw(rng, 4, 2)
    b = np.einsum("mij,ji->m", A, Z @ Z.conj().T).real
    operator = ll.HermitianOperator.from_matrices(A)
    assert operator.amplitudes() is None
    result = ll.recover(operator, b, 2)
    assert result.certificate.kind == "exact"
    np.testing.assert_allclose(result.matrix, Z @ Z.conj().T, atol=1e-7 * np.abs(Z).max() ** 2)
    assert (result.identifiability.rank, result.identifiability.dof) == (12, 12)


def test_operators_are_put_together_and_keep_their_class():
    a, Z, b = data()
    half = ll.ComplexRankOneOperator(a)
    whole = ll.stack([2.0 * half[::2], half[1::2]])
    assert isinstance(whole, ll.ComplexRankOneOperator)
    X = half.space.pack(Z)
    np.testing.assert_allclose(ll.measure(whole, X, X), np.r_[2 * b[::2], b[1::2]], rtol=1e-12)
    assert isinstance(KINDS["matrices"](a)[:3], ll.HermitianOperator)


@pytest.mark.parametrize("kind", ["a", "A", "real"])
@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_files_of_complex_problems(kind, suffix, tmp_path):
    a, Z, b = data()
    if kind == "real":
        Z = Z.real
        b = np.sum(np.abs(a.conj() @ Z) ** 2, axis=1)
        operator = ll.ComplexRankOneOperator(a, real=True)
    else:
        operator = KINDS["rank one" if kind == "a" else "matrices"](a)
    problem, path = ll.Problem(operator, b, 1), tmp_path / f"p{suffix}"
    space = problem.space
    save_problem(path, problem, space.pack(Z))
    loaded = load_problem(path)
    assert type(loaded.problem.operator) is type(operator)
    assert loaded.problem.space == space
    X = np.random.default_rng(0).standard_normal((problem.n, 1))
    # A row is stored as it is; a matrix is unpacked and packed again, by halves and doubles.
    np.testing.assert_array_equal(loaded.problem.residual(X), problem.residual(X))
    np.testing.assert_array_equal(loaded.truth, space.pack(Z))


def test_the_command_line_recovers_and_certifies_a_complex_file(tmp_path):
    a, Z, b = data()
    path, out = tmp_path / "p.npz", tmp_path / "r.npz"
    np.savez(path, a=a, b=b, rank=1, truth=Z)
    found = run("recover", path, "--json", "--out", out)
    assert found.code == 0, found.err
    fields = strict_json(found.out)
    assert (fields["kind"], fields["degrees_of_freedom"]) == ("exact", 2 * N - 1)
    assert (fields["jacobian_rank"], fields["identifiable"]) == (2 * N - 1, True)
    assert fields["relative_distance"] < 1e-8
    with np.load(out) as stored:
        assert stored["factor"].shape == (N, 1)
        np.testing.assert_allclose(stored["matrix"], Z @ Z.conj().T, atol=1e-7)
    again = run("certify", path, out, "--json")
    assert strict_json(again.out)["kind"] == "exact"
    assert run("recover", path, "--start", out, "--json").code == 0


@pytest.mark.slow
def test_a_real_signal_of_complex_rows_is_a_symmetric_matrix():
    a, Z, _ = data(m=14)
    x = Z.real
    b = np.sum(np.abs(a.conj() @ x) ** 2, axis=1)
    result = ll.recover(ll.ComplexRankOneOperator(a, real=True), b, 1)
    assert result.certificate.kind == "exact"
    np.testing.assert_allclose(result.matrix, x @ x.T, atol=1e-7)
    assert result.identifiability.dof == N


BAD = {
    "empty": (lambda: ll.ComplexRankOneOperator(np.ones((0, 2), complex)), "a was"),
    "vector": (lambda: ll.ComplexRankOneOperator(np.ones(3, complex)), "a was"),
    "infinite": (lambda: ll.ComplexRankOneOperator(np.full((2, 2), np.inf * 1j)), "a was not fin"),
    "not Hermitian": (lambda: ll.HermitianOperator(1j * np.ones((2, 2, 2))), "A was not Herm"),
    "not square": (lambda: ll.HermitianOperator(np.ones((2, 2, 3))), "A was"),
    "no order": (lambda: ll.HermitianOperator(np.ones((2, 4))), "order was left out"),
    "packed wrongly": (lambda: ll.HermitianOperator(np.ones((2, 5)), 2), "packed was"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    make, culprit = BAD[case]
    with pytest.raises(ll.InvalidInput, match=culprit):
        make()
