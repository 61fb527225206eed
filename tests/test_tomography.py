"""Quantum states from counts: the likelihood, the start, the front door and the command."""

import itertools
import json

import numpy as np
import pytest
from cli_tools import contents, run, strict_json

import liftless as ll
from liftless._precision import double
from liftless.losses import Poisson
from liftless.operators import Orthogonal
from liftless.tomography.counts import counts_of
from liftless.tomography.expectations import expectations_of
from liftless.tomography.likelihood import OfCounts, WithWhite, fitted, shadow
from liftless.tomography.measured import Fit
from liftless.tomography.mirrors import Mirrors
from liftless.tomography.share import adjusted
from liftless.tomography.state import fidelity
from liftless.tomography.strings import OfExpectations

PAULI = {
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.array([[1, 0], [0, -1]]),
}
ALL = ["".join(word) for word in itertools.product("XYZ", repeat=2)]


def probabilities(rho, words):
    """tr ρ ⊗ (1 ± P_k)/2, from the Pauli matrices themselves."""
    out = []
    for word in words:
        sides = [[(np.eye(2) + sign * PAULI[c]) / 2 for sign in (1, -1)] for c in word]
        effects = [np.kron(*pair) for pair in itertools.product(*sides)]
        out.append([np.trace(rho @ E).real for E in effects])
    return np.array(out)


def state(rank=1, seed=0):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((4, rank)) + 1j * rng.standard_normal((4, rank))
    return Z / np.linalg.norm(Z)


def test_rows_are_outcome_probabilities_with_qubit_zero_first():
    Z = state(2)
    operator = ll.ProductBases(ALL)
    X = operator.space.pack(Z)
    expected = probabilities(Z @ Z.conj().T, ALL)
    np.testing.assert_allclose(ll.measure(operator, X, X), expected.ravel(), atol=1e-12)
    assert isinstance(operator, Orthogonal)
    white = WithWhite(operator)
    Y = np.concatenate([X, [[0.5, 0.0]]])
    np.testing.assert_allclose(ll.measure(white, Y, Y), expected.ravel() + 0.25 / 4, atol=1e-12)
    np.testing.assert_allclose(white.back(white.rows(Y)), 9 * Y, atol=1e-12)


def test_the_shadow_of_exact_frequencies_is_the_state():
    Z = state(2)
    rho = Z @ Z.conj().T
    data = counts_of(1e6 * probabilities(rho, ALL), ALL, "big")
    np.testing.assert_allclose(shadow(data), rho, atol=1e-12)


@double
def test_poisson_loss_is_the_likelihood_and_its_conjugate_the_supremum():
    loss, y = Poisson(1e-3), np.linspace(0.1, 4, 9)
    b = np.full(9, 1.5)
    np.testing.assert_allclose(loss.value(y, b), y + 1e-3 - b * np.log(y + 1e-3), rtol=1e-12)
    step = 1e-6
    slope = (loss.value(y + step, b) - loss.value(y - step, b)) / (2 * step)
    np.testing.assert_allclose(loss.derivative(y, b), slope, atol=1e-7)
    bend = (loss.derivative(y + step, b) - loss.derivative(y - step, b)) / (2 * step)
    np.testing.assert_allclose(loss.second(y, b), bend, rtol=1e-6)
    least = loss.value(b - 1e-3, b)
    np.testing.assert_allclose(loss.excess(y, b), loss.value(y, b) - least, atol=1e-12)
    many = np.linspace(0, 200, 2_000_001)
    whole = np.asarray(loss.value(many, np.full(many.size, 1.5)))
    for v in (-3.0, 0.2, 0.9):
        found = float(loss.conjugate(np.array(v), np.array(1.5)))
        assert found == pytest.approx(np.max(v * many - whole), rel=1e-6)
    assert loss.conjugate(np.array(1.1), np.array(1.5)) == np.inf
    with pytest.raises(ll.InvalidInput, match="counts >= 0"):
        loss.check(np.array([1.0, -1.0]))


@pytest.mark.slow
def test_exact_frequencies_give_the_state_back_in_either_order(tmp_path):
    """By the command, from a dictionary whose letters and bits end with qubit zero."""
    Z = state()
    n = np.round(1e7 * probabilities(Z @ Z.conj().T, ALL))
    words = ["00", "01", "10", "11"]
    table = {
        word[::-1]: {bits[::-1]: int(c) for bits, c in zip(words, row, strict=True)}
        for word, row in zip(ALL, n, strict=True)
    }
    path, out = tmp_path / "c.json", tmp_path / "r.npz"
    path.write_text(json.dumps(table))
    found = run("tomography", path, "--order", "little", "--rank", "1", "--no-white", "--json",
                "--quiet", "--out", out)  # fmt: skip
    assert found.code == 0, found.err
    fields = strict_json(found.out)
    assert (fields["rank"], fields["qubits"], fields["settings"]) == (1, 2, 9)
    with np.load(out) as stored:
        rho = stored["density"]
    assert np.trace(rho).real == pytest.approx(1, abs=1e-6)
    assert 1 - fidelity(rho, Z) < 1e-5


@pytest.mark.slow
def test_rank_and_white_noise_are_told_from_counts():
    rng = np.random.default_rng(3)
    for rank, white in ((1, 0.0), (2, 0.0), (1, 0.2)):
        Z = state(rank, 5)
        rho = (1 - white) * Z @ Z.conj().T + white * np.eye(4) / 4
        n = np.array([rng.multinomial(2000, p / p.sum()) for p in probabilities(rho, ALL)])
        found = ll.tomography.fit(n, ALL)
        assert (found.rank, found.white > 0) == (rank, white > 0)
        assert found.white == pytest.approx(white, abs=0.05)
        assert 1 - found.fidelity(rho) < 0.01
        assert found.spectrum.sum() == pytest.approx(1, abs=1e-9)
        assert found.identifiable


@pytest.mark.slow
def test_two_settings_do_not_identify_a_state():
    Z = np.array([1, 0, 0, 1]) / np.sqrt(2)
    n = 1000 * probabilities(np.outer(Z, Z), ["ZZ", "XX"])
    found = ll.tomography.fit(n, ["ZZ", "XX"], rank=1, white=False)
    data = counts_of(n, ["ZZ", "XX"], "big")
    truth = fitted(data, 1, np.outer(Z, Z) + 0j, white=False, seed=0)
    assert found.loss <= truth.loss + 1
    one = ll.tomography.fit(n[:1], ["ZZ"], rank=1, white=False)
    assert not one.identifiable
    assert "NOT identifiable" in one.message


def test_white_noise_that_the_factor_took_is_given_back():
    """The less the more shots there are: in proportion to one over them; at trace one."""
    Z, white = state(1, 5), 0.2
    rho = (1 - white) * Z @ Z.conj().T + white * np.eye(4) / 4
    fit, changes = Fit(1, white, True, np.sqrt(1 - white) * Z, 0.0, 0), []
    for shots in (1e3, 1e6):
        data = OfCounts(counts_of(shots * probabilities(rho, ALL), ALL, "big"))
        found = double(adjusted)(data, fit)
        assert np.linalg.norm(found.Z) ** 2 + found.white == pytest.approx(1, abs=1e-12)
        changes.append(found.white - white)
    assert 1e-4 < changes[0] < 0.01
    assert changes[0] / changes[1] == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("transposed", [False, True])
def test_mirror_images_by_the_matrices_themselves(transposed):
    """Losses and factors of P ρ P and P ρᵀ P, of counts and of expectations."""
    rng, Z = np.random.default_rng(1), state(2, 3)
    n = rng.poisson(50, (3, 4)) + 1.0
    counts = OfCounts(counts_of(n, ["XY", "YZ", "ZZ"], "big"))
    given = dict(zip(STRINGS[:7], rng.uniform(-0.5, 0.5, 7), strict=True))
    strings = OfExpectations(expectations_of(given, None, 100, None, "big"))
    fit, mirrors = Fit(2, 0.0, False, Z, 0.0, 0), Mirrors.of(2)
    k = next(
        k
        for k, word in enumerate(mirrors.strings)
        if tuple(word) == (1, 3) and mirrors.transposed[k] == transposed
    )
    P = np.kron(PAULI["X"], PAULI["Z"])
    rho = Z @ Z.conj().T
    image = P @ (rho.T if transposed else rho) @ P
    W = mirrors.apply(k, Z)
    np.testing.assert_allclose(W @ W.conj().T, image, atol=1e-12)
    share = fit.parameters / (n.sum() + fit.parameters)
    p = (1 - share) * probabilities(image, ["XY", "YZ", "ZZ"]) + share / 4
    losses = double(counts.mirrored)(mirrors, fit)
    assert losses[k] == pytest.approx(-np.sum(n * np.log(p)), rel=1e-12)
    change = [
        np.sum((p - strings.data.values) ** 2 / strings.data.variance(p))
        for p in (strings_of(rho)[:7], strings_of(image)[:7])
    ]
    assert double(strings.mirrored)(mirrors, fit)[k] == pytest.approx((change[1] - change[0]) / 2)


def test_mirror_images_have_a_loss_where_shots_are_fewer_than_parameters():
    n = np.eye(4)[:1]
    counts = OfCounts(counts_of(n, ["XY"], "big"))
    fit = Fit(2, 0.0, False, state(2, 3), 0.0, 0)
    assert fit.parameters > n.sum()
    assert np.all(np.isfinite(double(counts.mirrored)(Mirrors.of(2), fit)))


def test_the_sign_of_a_bell_state_is_not_told_without_xx_or_yy():
    """By counts that are equal for both signs, although random starts may all end at one."""
    Z = np.array([1, 0, 0, 1]) / np.sqrt(2)
    words = ["XY", "YX", "ZZ"]
    n = 1000 * probabilities(np.outer(Z, Z), words)
    found = ll.tomography.fit(n, words, rank=1, white=False)
    assert not found.identifiable
    assert found.other_infidelity > 0.9


def test_fidelities():
    Z, W = state(), state(seed=1)
    rho = Z @ Z.conj().T
    overlap = abs(np.vdot(Z, W)) ** 2
    assert fidelity(rho, W) == pytest.approx(overlap)
    assert fidelity(rho, W @ W.conj().T) == pytest.approx(overlap)
    assert fidelity(np.eye(4) / 4 + 0j, np.eye(4)) == pytest.approx(1)
    for bad in (np.zeros(4), np.ones(3), "x"):
        with pytest.raises(ll.InvalidInput):
            fidelity(rho, bad)


STRINGS = ["".join(word) for word in itertools.product("IXYZ", repeat=2)][1:]


def strings_of(rho):
    """tr P ρ, from the Pauli matrices themselves."""
    letters = {"I": np.eye(2), **PAULI}
    return np.array([np.trace(np.kron(letters[a], letters[b]) @ rho).real for a, b in STRINGS])


@pytest.mark.slow
def test_expectations_give_the_state_and_its_rank_by_chi_square():
    """Pure, of rank two, and with white noise, which takes from the trace alone."""
    rng = np.random.default_rng(7)
    for rank, white in ((1, 0.0), (2, 0.0), (1, 0.2)):
        Z = state(rank, 5)
        rho = (1 - white) * Z @ Z.conj().T + white * np.eye(4) / 4
        e = 2 * rng.binomial(4000, (1 + strings_of(rho)) / 2) / 4000 - 1
        found = ll.tomography.fit(expectations=e, paulis=STRINGS, shots=4000)
        assert (found.rank, found.white > 0) == (rank, white > 0)
        assert found.white == pytest.approx(white, abs=0.05)
        assert 1 - found.fidelity(rho) < 0.01
        assert found.spectrum.sum() == pytest.approx(1, abs=1e-9)
        low, high = found.fidelity_interval(rho)
        assert 0.98 < low <= found.fidelity(rho) <= high <= 1
    # Standard errors say the same as shots.
    sigma = np.sqrt((1 - e * e + 2 / 4000) / 4000)
    other = ll.tomography.fit(expectations=e, paulis=STRINGS, errors=sigma)
    assert (other.rank, other.white > 0) == (1, True)
    assert found.fidelity(other.density) > 0.999


def test_fisher_information_of_expectations_is_that_of_the_matrices():
    """Against the explicit Jacobian, and the draws against its pseudo-inverse."""
    Z = state(1, 2)
    given = dict(zip(STRINGS, strings_of(Z @ Z.conj().T), strict=True))
    data = OfExpectations(expectations_of(given, None, 100, None, "big"))
    fit = Fit(1, 0.0, False, Z, 0.0, 0)
    evidence = data.evidence(fit)
    J = np.asarray(evidence.operator.jacobian(evidence.X)).reshape(16, 8)
    np.testing.assert_allclose(
        evidence.information(), J.T @ (evidence.omega[:, None] * J), rtol=1e-9, atol=1e-9
    )
    cov = np.linalg.pinv(J.T @ (evidence.omega[:, None] * J), rcond=1e-9)
    moved = np.mean([np.linalg.norm(one - fit.density) ** 2 for one in evidence.draws(2000, 0)])
    # ‖δρ‖² of a pure state is 2 ‖δz‖², to first order.
    assert moved == pytest.approx(2 * np.trace(cov), rel=0.1)


@pytest.mark.slow
def test_strings_that_leave_the_state_open_are_told(tmp_path):
    """By the command, from a dictionary; three strings are fewer than six parameters."""
    path, plot = tmp_path / "e.json", tmp_path / "e.png"
    table = {"ZI": 0.2, "IZ": -0.4, "XX": 0.1}
    path.write_text(json.dumps({"expectations": table, "shots": 500}))
    words = ("--json", "--quiet", "--rank", "1", "--no-white", "--plot", plot)
    found = run("tomography", path, *words)
    assert found.code == 4, found.err
    fields = strict_json(found.out)
    assert "no more numbers than parameters" in fields["message"]
    assert (fields["settings"], fields["shots"]) == (3, 1500)
    assert plot.stat().st_size > 1000


N = np.ones((1, 4))
E, P = np.array([0.1, 0.2]), ["XI", "ZZ"]
BAD = {
    "letter": ({"counts": N, "settings": ["XQ"]}, "settings was 'XQ' among them"),
    "lengths": ({"counts": np.ones((2, 4)), "settings": ["XX", "X"]}, "different lengths"),
    "numbers": ({"counts": N, "settings": np.array([[0, 5]])}, "beside 0, 1 and 2"),
    "no settings": ({"counts": N}, "settings was left out"),
    "shape": ({"counts": N[:, :3], "settings": ["XX"]}, "counts was"),
    "negative": ({"counts": -N, "settings": ["XX"]}, "counts was negative"),
    "NaN": ({"counts": N * np.nan, "settings": ["XX"]}, "counts was not finite"),
    "no shots": ({"counts": 0 * N, "settings": ["XX"]}, "zero throughout setting 0"),
    "no counts": ({"settings": ["XX"]}, "counts was missing"),
    "rank": ({"counts": N, "settings": ["XX"]}, "rank was 'two'", "--rank", "two"),
    "rank too large": ({"counts": N, "settings": ["XX"]}, "rank was 9", "--rank", "9"),
    "order": ({"counts": N, "settings": ["XX"]}, "order was", "--order", "middle"),
    "no strings": ({"expectations": E, "shots": 9}, "paulis was left out"),
    "no shots or errors": ({"expectations": E, "paulis": P}, "shots was left out, and errors"),
    "shots zero": ({"expectations": E, "paulis": P, "shots": 0}, "shots was 0; it must be >= 1"),
    "errors zero": ({"expectations": E, "paulis": P, "errors": 0.0}, "errors was 0"),
    "both": ({"expectations": E, "paulis": P, "errors": E, "shots": 9}, "given beside errors"),
    "string": ({"expectations": E, "paulis": ["XI", "AB"], "shots": 9}, "paulis was 'AB'"),
    "string twice": ({"expectations": E, "paulis": ["XI", "XI"], "shots": 9}, "more than once"),
    "beyond one": ({"expectations": 9 * E, "paulis": P, "shots": 9}, "1.8 for ZZ"),
    "identity": ({"expectations": E, "paulis": ["II", "ZZ"], "shots": 9}, "for the identity"),
    "not finite": ({"expectations": E * np.nan, "paulis": P, "shots": 9}, "not finite"),
    "counts beside": ({"counts": N, "expectations": E, "paulis": P, "shots": 9}, "beside exp"),
    "shots of counts": ({"counts": N, "settings": ["XX"], "shots": 9}, "shots was given with"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_nothing_is_written(case, tmp_path):
    arrays, culprit, *words = BAD[case]
    path = tmp_path / "c.npz"
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    before = contents(tmp_path)
    found = run("tomography", path, "--quiet", "--out", tmp_path / "r.npz", *words)
    assert (found.code, found.out) == (2, "")
    assert found.err.count("\n") == 1
    assert culprit in found.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("{", "not readable"),
        ("[1]", "no object"),
        ('{"XX": {"01": 3, "2": 1}}', "of outcome '2'"),
        ('{"XX": 3}', "counts['XX']"),
        ('{"expectations": 3, "shots": 9}', "expectations was no object"),
        ('{"expectations": {"XX": "much"}, "shots": 9}', "expectations was"),
    ],
)
def test_bad_json_is_one_line(text, culprit, tmp_path):
    path = tmp_path / "c.json"
    path.write_text(text)
    found = run("tomography", path, "--quiet")
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert culprit in found.err
