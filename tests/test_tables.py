"""Tables with holes: how they are read, effects against dense algebra, and what is completed."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.sparse import coo_array
from table_tools import N1, N2, R, holed

import liftless as ll
from liftless._errors import InvalidInput
from liftless.tables import as_table, effects
from liftless.tables.view import TableView


def frame(**columns):
    """What a DataFrame has that is asked for, of any library."""

    class Frame:
        def __init__(self):
            self.columns = list(columns)

        def __getitem__(self, name):
            return SimpleNamespace(to_numpy=lambda: np.asarray(columns[name]))

        def __len__(self):
            return len(columns[self.columns[0]])

        def to_numpy(self):
            return np.stack([np.asarray(part) for part in columns.values()], axis=1)

    return Frame()


# -- reading ---------------------------------------------------------------------------------------


def test_every_form_of_a_table_has_the_same_entries():
    D, _ = holed()
    i, j = np.nonzero(~np.isnan(D))
    y = D[i, j]
    forms = {
        "NaN": D,
        "masked": np.ma.masked_invalid(D),
        "sparse": coo_array((y, (i, j)), shape=D.shape),
        "long": (i, j, y),
        "long frame": frame(user=i, item=j, rating=y),
        "named": frame(a=i, b=j, c=y),
        "wide frame": frame(**{f"c{k}": D[:, k] for k in range(N2)}),
    }
    for name, data in forms.items():
        given = {"row": "a", "col": "b", "value": "c"} if name == "named" else {}
        table = as_table(data, **given)
        assert table.shape == (N1, N2), name
        np.testing.assert_array_equal((table.i, table.j), (i, j), err_msg=name)
        np.testing.assert_array_equal(table.y, y, err_msg=name)
        assert not table.symmetric


def test_words_keep_their_order_and_numbers_are_sorted():
    table = as_table((["b", "a", "b"], [30, 7, 7], [1.0, 2.0, 3.0]))
    assert table.rows.tolist() == ["b", "a"]
    assert table.cols.tolist() == [7, 30]
    assert table.positions("row", ["a", "c", "b"]).tolist() == [1, -1, 0]


def test_what_a_library_writes_for_nothing_is_a_hole():
    NA = type("NAType", (), {})()
    long = frame(user=["a", "b"], item=["x", "y"], rating=np.array([1.0, NA], object))
    assert as_table(long).y.tolist() == [1.0]
    wide = frame(name=np.array(["a", "b"], object), x=np.array([1, None], object), y=[2.0, 3.0])
    table = as_table(wide)
    assert table.rows.tolist() == ["a", "b"]
    assert table.cols.tolist() == ["x", "y"]
    assert table.y.tolist() == [1.0, 2.0, 3.0]


def test_an_entry_given_twice_is_its_mean_by_precision():
    table = as_table(([0, 0, 1], [1, 1, 0], [2.0, 5.0, 1.0]), weights=[2.0, 3.0, 1.0])
    assert table.y.tolist() == [(4 * 2 + 9 * 5) / 13, 1.0]
    np.testing.assert_allclose(table.weights, [13**0.5, 1.0])


def test_distances_are_completed_as_the_indefinite_matrix_that_they_are():
    rng = np.random.default_rng(8)
    P = rng.standard_normal((24, 2))
    D = np.sum((P[:, None] - P) ** 2, axis=2)
    upper = np.triu(rng.random(D.shape) < 0.25, 1)
    hidden = upper | upper.T
    done = ll.complete(np.where(hidden, np.nan, D))
    assert not done.table.symmetric
    np.testing.assert_allclose(done.matrix[hidden], D[hidden], atol=1e-8)
    # Nor is a symmetric table without its diagonal taken for a semidefinite one.
    C = P @ P.T
    assert as_table(C).symmetric
    assert not as_table(np.where(np.eye(24) > 0, np.nan, C)).symmetric


def test_a_symmetric_table_is_told_or_said():
    S = np.array([[5.0, 2, np.nan, 4], [2, 6, 6, np.nan], [np.nan, 6, 8, 9], [4, np.nan, 9, 12]])
    assert as_table(S).symmetric
    assert as_table(S).y.size == 8
    S[0, 1] = 2.5
    assert not as_table(S).symmetric
    assert as_table((["a", "b"], ["b", "c"], [1.0, 2.0]), symmetric=True).shape == (3, 3)


@pytest.mark.parametrize(
    ("data", "given", "word"),
    [
        (np.full((3, 3), np.nan), {}, "without an entry"),
        (np.array([[np.inf, 1.0]]), {}, "infinite"),
        (np.ones(3), {}, "matrix"),
        ([["a", "b"]], {}, "NaN for holes"),
        (([0, 1], [0], [1.0, 2.0]), {}, "identifier"),
        (np.ones((2, 3)), {"symmetric": True}, "square"),
        (np.ones((2, 3)), {"rank": 4}, "rank"),
        (np.ones((2, 3)), {"rank": "two"}, "rank"),
        (np.ones((2, 3)), {"folds": 1}, "folds"),
        (np.ones((2, 3)), {"folds": 7}, "folds"),
        (np.ones((2, 3)), {"clip": (2, 1)}, "clip"),
        (frame(a=[1.0], b=[2.0], c=[3.0]), {"row": "a"}, "left out"),
        (frame(a=[1.0], b=[2.0], c=[3.0]), {"row": "x"}, "one of the columns"),
    ],
)
def test_bad_tables_get_one_line(data, given, word):
    with pytest.raises(InvalidInput, match=word):
        ll.complete(data, **given)


# -- effects ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetric", [False, True])
def test_effects_are_the_posterior_mean_for_their_own_variances(symmetric):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal(N1), 0.5 * rng.standard_normal(N2)
    if symmetric:
        W = np.triu(rng.random((N1, N1)) < 0.4)
        Y = np.where(W | W.T, 1 + a[:, None] + a, np.nan)
        E = 0.2 * rng.standard_normal((N1, N1))
        Y = Y + np.triu(E) + np.triu(E, 1).T
    else:
        Y = np.where(rng.random((N1, N2)) < 0.5, 1 + a[:, None] + b, np.nan)
        Y = Y + 0.2 * rng.standard_normal(Y.shape)
    table = as_table(Y, symmetric=symmetric)
    found = effects(table, table.y)
    assert np.std(found.of_rows - a) < 0.2
    # The joint regression with the variances that were learned, by dense algebra.
    n1, n2 = table.shape
    F = np.zeros((table.y.size, n1 if symmetric else n1 + n2))
    rows = np.arange(table.y.size)
    np.add.at(F, (rows, table.i), 1.0)
    np.add.at(F, (rows, table.j if symmetric else n1 + table.j), 1.0)
    left = table.y - found.at(table.i, table.j)
    prior = np.full(n1, found.prior[0])
    if not symmetric:
        prior = np.r_[prior, np.full(n2, found.prior[1])]
    noise = float(np.mean(left**2)) * 1.2
    x = np.linalg.solve(F.T @ F / noise + np.diag(1 / prior), F.T @ (table.y - found.mean) / noise)
    np.testing.assert_allclose(x[:n1], found.of_rows, atol=0.05)


# -- completion ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noisy():
    D, M = holed(3, 0.6, noise=0.1)
    return D, M, ll.complete(D, max_rank=3, folds=2)


def test_an_exact_table_is_completed_and_what_is_open_is_marked():
    D, M = holed(2)
    D[5] = np.r_[M[5, 0], np.full(N2 - 1, np.nan)]
    done = ll.complete(D, max_rank=3)
    assert (done.kind, done.rank, done.sigma) == ("exact", R, 0.0)
    filled = done.matrix
    open_ = np.isnan(filled)
    assert open_[5, 1:].all()
    assert open_.sum() == N2 - 1
    np.testing.assert_allclose(filled[~open_], M[~open_], atol=1e-8)
    assert np.isinf(done.deviation(5, 3)[0])
    assert not done.determined(5, 3)[0]


def test_a_noisy_table_shows_its_rank_and_noise(noisy):
    D, M, done = noisy
    assert (done.kind, done.rank, done.additive) == ("noise", R, False)
    assert done.sigma == pytest.approx(0.1, rel=0.25)
    hidden = np.isnan(D)
    error = np.sqrt(np.mean((done.matrix - M)[hidden] ** 2))
    assert error < 0.15
    z = (done.matrix - M)[hidden] / done.deviation(*np.indices(M.shape))[hidden]
    assert 0.4 < np.mean(z**2) < 2.0
    low, high = done.interval(*np.indices(M.shape))
    assert np.mean((low <= M) & (high >= M)) > 0.85
    assert "rank 2" in done.message


def test_a_completed_table_shows_itself(noisy, tmp_path):
    D, _, done = noisy
    view = TableView.of(done)
    np.testing.assert_array_equal(view.given, D)
    np.testing.assert_array_equal(view.matrix, done.matrix)
    assert view.tried.shape == (len(done.tried), 4)
    html = done._repr_html_()
    assert html.count("<tr>") == 4 + len(done.tried)
    assert f"σ = {done.sigma:.4g}" in html
    figure = done.plot(tmp_path / "table.svg")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert f"Given: {np.isnan(D).sum()} holes" in titles
    assert (tmp_path / "table.svg").read_bytes().startswith(b"<?xml")


def test_a_new_row_is_folded_in_as_the_posterior_says(noisy):
    _, _, done = noisy
    rng = np.random.default_rng(5)
    V, A = done.model.low.X[N1:], done.model.priors[0]
    assert abs(A[0, 1]) > 1e-3
    at = rng.permutation(N2)[:4]
    y = (V @ np.array([1.0, -2.0]))[at] + 0.1 * rng.standard_normal(4)
    # The Gaussian posterior in the space of the entries: mean K (K_oo + σ² I)⁻¹ y with K = V A Vᵀ.
    K = V @ A @ V.T
    expected = K[:, at] @ np.linalg.solve(K[np.ix_(at, at)] + done.sigma**2 * np.eye(4), y)
    np.testing.assert_allclose(done.fold_in(at, y), expected, atol=1e-9)
    with pytest.raises(InvalidInput, match="cols"):
        done.fold_in([99], [1.0])


def test_a_new_row_beside_effects_shares_what_rows_have_in_common():
    # Effect and factor of a row go together: one entry tells of both.
    rng = np.random.default_rng(0)
    U, V = rng.standard_normal((N1, 1)), rng.standard_normal((N2, 1))
    Y = 2 + U + U @ V.T + 0.5 * V.T + 0.1 * rng.standard_normal((N1, N2))
    D = np.where(rng.random(Y.shape) < 0.7, Y, np.nan)
    done = ll.complete(D, 1, additive=True, folds=0)
    F = np.column_stack([np.ones(N2), done.model.low.X[N1:]])
    base = done.model.effects.mean + done.model.effects.of_cols
    K = F @ done.model.priors[0] @ F.T
    at, y = np.array([3]), np.array([4.0])
    weight = 1 / (K[3, 3] + done.sigma**2)
    np.testing.assert_allclose(done.fold_in(at, y), base + K[:, 3] * weight * (4 - base[3]))
    # The correlation that the rows were drawn with, which a diagonal prior has not.
    A = done.model.priors[0]
    assert abs(A[0, 1]) > 0.7 * np.sqrt(A[0, 0] * A[1, 1])


def test_gross_errors_do_little_harm_where_they_are_expected(noisy):
    D, M, clean = noisy
    rng = np.random.default_rng(8)
    i, j = np.nonzero(~np.isnan(D))
    bad = rng.choice(i.size, i.size // 20, replace=False)
    wrong = D.copy()
    wrong[i[bad], j[bad]] += rng.choice([-1, 1], bad.size) * rng.uniform(5, 20, bad.size)
    done = ll.complete(wrong, max_rank=3, folds=2, robust=True)

    def error(one):
        return np.sqrt(np.mean((one.matrix - M) ** 2))

    assert done.rank == R
    assert done.sigma == pytest.approx(clean.sigma, rel=0.2)
    assert error(done) < 2 * error(clean)
    assert error(ll.complete(wrong, R, additive=False, folds=0)) > 5 * error(clean)


def test_exact_entries_are_found_among_gross_errors():
    D, M = holed(4, 0.8)
    i, j = np.nonzero(~np.isnan(D))
    D[i[::25], j[::25]] += 9.0
    done = ll.complete(D, R, additive=False, folds=0, robust=True)
    assert done.kind == "noise"
    np.testing.assert_allclose(done.matrix, M, atol=1e-6)


def test_the_best_of_a_row_are_those_that_were_not_seen(noisy):
    D, _, done = noisy
    cols, values = done.top(4, 3)
    hidden = np.flatnonzero(np.isnan(D[4]))
    best = hidden[np.argsort(-done.matrix[4, hidden])][:3]
    np.testing.assert_array_equal(cols, best)
    np.testing.assert_array_equal(values, done.matrix[4, best])
    with pytest.raises(InvalidInput, match="fold_in"):
        done.top(N1)


def test_effects_are_found_beside_the_matrix_and_grades_keep_their_range():
    rng = np.random.default_rng(0)
    Y = 3 + rng.standard_normal((N1, 1)) + 0.7 * rng.standard_normal((1, N2))
    Y = np.clip(np.round(Y + 0.3 * rng.standard_normal(Y.shape)), 1, 5)
    D = np.where(rng.random(Y.shape) < 0.7, Y, np.nan)
    i, j = np.nonzero(~np.isnan(D))
    rows, cols = np.array([f"u{k}" for k in range(N1)]), np.array([f"i{k}" for k in range(N2)])
    done = ll.complete((rows[i], cols[j], D[i, j]), max_rank=2)
    assert done.additive
    assert done.clip == (1.0, 5.0)
    new = done.predict(["nobody", "u3"], ["i1", "new"])
    known = done.predict("u3", "i1")
    assert np.isfinite([*new, *known]).all()
    assert done.deviation("nobody", "i1")[0] > done.deviation("u3", "i1")[0]


@pytest.mark.parametrize(
    ("data", "folds", "kind", "filled"),
    [
        (np.array([[np.nan, np.nan], [np.nan, 2.0]]), 0, "exact", np.full((2, 2), 2.0)),
        (np.where(np.eye(8, 7) > 0, np.nan, 0.0), 2, "exact", np.zeros((8, 7))),
        (np.array([[1.0, 2, np.nan, 4, 5]]), 2, "noise", None),
    ],
)
def test_a_table_of_hardly_anything_is_completed_all_the_same(data, folds, kind, filled):
    done = ll.complete(data, folds=folds)
    assert done.kind == kind
    if filled is not None:
        np.testing.assert_array_equal(done.matrix, filled)
    assert np.isfinite(done.matrix).all()
