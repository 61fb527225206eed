"""Bodies grown point by point and joined, and fits that the noise does not exclude."""

import numpy as np
import pytest
from scipy.optimize import least_squares
from test_distances import ranged

import liftless as ll
from liftless.distances.data import read
from liftless.distances.growth import Body, Growth, two_places
from liftless.distances.joined import assembled, joined, orientations
from liftless.distances.rigidity import rigidity


def graph(pairs, d, dim, n):
    return Growth(read(pairs, d, dim, None, "absolute", None, n))


def apart(X, Y):
    """Largest difference of distances: none where X and Y are congruent."""
    return max(
        np.abs(
            np.linalg.norm(X[:, None] - X[None], axis=2)
            - np.linalg.norm(Y[:, None] - Y[None], axis=2)
        ).max(initial=0.0),
        0.0,
    )


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_two_places_have_the_distances_and_one_is_the_point(dim):
    rng = np.random.default_rng(dim)
    P, Y = rng.standard_normal((1, dim + 2, dim)), rng.standard_normal(dim)
    d = np.linalg.norm(P[0] - Y, axis=1)
    both = two_places(
        P[:1],
        d,
    )
    assert np.linalg.norm(both - Y, axis=2).min() < 1e-12
    # Both have the distances of as many points as there are dimensions.
    gaps = np.linalg.norm(both[0, :, None] - P[0], axis=2)
    assert np.all(np.sum(np.abs(gaps - d) < 1e-9, axis=1) >= dim)


@pytest.mark.parametrize("dim", [2, 3])
def test_a_chain_of_two_placed_neighbours_keeps_every_way(dim):
    """Each point hangs on ``dim`` others: 2^k realisations of k points, the first mirror aside."""
    rng = np.random.default_rng(5)
    n = dim + 4
    X = rng.standard_normal((n, dim))
    pairs = [(a, b) for a in range(dim) for b in range(a)]
    pairs += [(k, k - 1 - j) for k in range(dim, n) for j in range(dim)]
    i, j = np.array(pairs).T
    growth = graph(pairs, np.linalg.norm(X[i] - X[j], axis=1), dim, n)
    first = growth.simplex(np.arange(n) < dim, -np.arange(float(n)))
    assert first is not None
    body = growth.grown(first)
    assert body.points.size == n
    assert len(body.X) == 2 ** (n - dim - 1)
    there = X[body.points]
    gaps = sorted(apart(way, there) for way in body.X)
    assert gaps[0] < 1e-9
    assert gaps[1] > 1e-3


@pytest.mark.parametrize(
    ("dim", "shared", "bars"), [(2, 0, 4), (2, 1, 2), (2, 2, 1), (3, 0, 7), (3, 1, 4), (3, 2, 2)]
)
def test_bodies_are_joined_as_the_points_were_drawn(dim, shared, bars):
    """One bar more than rigidity needs: one way that fits, generically."""
    rng = np.random.default_rng([dim, shared])
    k = dim + 3
    n = 2 * k - shared
    X = rng.standard_normal((n, dim))
    left, right = np.arange(k), np.arange(k - shared, n)
    pairs = [(a, b) for part in (left, right) for a in part for b in part if a < b]
    # Ends in turn, so that no two bars have both in common and no flat holds all of either side.
    pairs += [
        (left[c % (k - shared)], right[shared + (c + c // 3) % (k - shared)]) for c in range(bars)
    ]
    i, j = np.unique(np.array(pairs), axis=0).T
    growth = graph(np.stack([i, j], axis=1), np.linalg.norm(X[i] - X[j], axis=1), dim, n)
    turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    zero = np.zeros(1)
    one = Body(left, X[None, left], zero, zero)
    whole = joined(growth, one, Body(right, (X[right] @ turn + 1.0)[None], zero, zero))
    assert whole is not None
    best = int(np.argmin(whole.misfit))
    assert whole.misfit[best] < 1e-9
    assert apart(whole.X[best], X[whole.points]) < 1e-6


def test_orientations_are_isometries_of_both_kinds():
    for dim in (1, 2, 3, 4):
        turns = orientations(dim)
        one = np.einsum("gab,gac->gbc", turns, turns)
        assert np.abs(one - np.eye(dim)).max() < 1e-12
        assert set(np.sign(np.linalg.det(turns)).round()) == {-1.0, 1.0}


@pytest.mark.parametrize("seed", range(4))
def test_a_sparse_body_is_put_together(seed):
    X, pairs, d = ranged(60, 0.205, seed)
    body = rigidity(60, *pairs.T, 2).determined
    data = read(pairs, d, 2, None, "relative", 1e-6, 60).of(body)
    growth = Growth(data)
    first = growth.simplex(np.ones(data.n, bool), growth.order)
    assert first is not None
    main, _ = assembled(growth, [first])
    assert main.points.size == data.n
    best = main.X[int(np.argmin(main.misfit))]
    assert apart(best, X[body][main.points]) < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_bodies_and_what_hangs_on_them_are_exact_near_the_least_degree(seed):
    X, pairs, d = ranged(60, 0.205, seed)
    found = ll.distances.locate(pairs, d, 2, n=60, noise="relative", std=1e-6)
    assert found.kind == "exact"
    assert not found.rivals
    assert found.distance(X) < 1e-9
    assert np.array_equal(found.certain, found.determined)


def hanging(height, noise, seed):
    """Points of a grid, all distances known, and one that hangs on three nearly on a line."""
    rng = np.random.default_rng(seed)
    X = np.array([[a, b] for a in range(3) for b in range(3)], float)
    X += 0.1 * rng.standard_normal(X.shape)
    X[2], X[5], X[8] = [0.0, 2.0], [1.0, 2.0 + height], [2.0, 2.0]
    X = np.vstack([X, [1.1, 2.9]])
    pairs = [(a, b) for a in range(9) for b in range(a)] + [(9, 2), (9, 5), (9, 8)]
    i, j = np.array(pairs).T
    d = np.linalg.norm(X[i] - X[j], axis=1)
    return X, np.array(pairs), d + noise * rng.standard_normal(d.size)


def misfit(pairs, d, std, start):
    """Least Σ ((fit − d)/std)² from a start, by SciPy."""
    i, j = pairs.T

    def residual(x):
        P = x.reshape(-1, 2)
        return (np.linalg.norm(P[i] - P[j], axis=1) - d) / std

    end = least_squares(residual, start.ravel(), method="lm", xtol=1e-14, ftol=1e-14)
    return 2 * end.cost, end.x.reshape(-1, 2)


def test_a_mirror_image_that_noise_does_not_exclude_is_a_rival_with_its_odds():
    std = 0.03
    X, pairs, d = hanging(0.02, std, 3)
    found = ll.distances.locate(pairs, d, 2, std=std)
    mirror = X.copy()
    mirror[9, 1] = 2 * 2.0 - X[9, 1]
    here, there = misfit(pairs, d, std, X), misfit(pairs, d, std, mirror)
    least, most = sorted([here[0], there[0]])
    assert most - least < 9  # else the draw has no rival, and nothing is tested
    (rival,) = found.rivals
    assert rival.points.tolist() == [9]
    assert rival.odds == pytest.approx(np.exp((least - most) / 2), rel=1e-3)
    assert found.chi2 * (39 - 17) == pytest.approx(least, rel=1e-6)
    assert found.determined.all()
    assert found.certain.tolist() == [True] * 9 + [False]
    assert not found.success
    whole = found.points.copy()
    whole[9] = rival.places[0]
    other = there[1] if here[0] < there[0] else here[1]
    assert apart(whole, other) < 0.05
    assert "noise does not exclude: 1" in found.message


def test_a_mirror_image_that_noise_excludes_is_none():
    X, pairs, d = hanging(0.5, 0.01, 3)
    found = ll.distances.locate(pairs, d, 2, std=0.01)
    assert not found.rivals
    assert found.certain.all()
    assert found.distance(X) < 0.03


def test_errors_of_the_body_are_not_those_of_what_hangs_on_it():
    """A point on two distances says nothing of the body, however badly it is known itself."""
    X = np.random.default_rng(1).random((7, 2))
    pairs = [(a, b) for a in range(7) for b in range(a)]
    d = np.array([np.linalg.norm(X[a] - X[b]) for a, b in pairs])
    alone = ll.distances.locate(pairs, d, 2, std=0.01)
    far = X[0] + 2 * (X[1] - X[0]) + 1e-3 * (X[2] - X[0])  # nearly on a line with both
    more = [np.linalg.norm(far - X[0]), np.linalg.norm(far - X[1])]
    both = ll.distances.locate([*pairs, (7, 0), (7, 1)], np.r_[d, more], 2, std=0.01)
    assert both.determined.tolist() == [True] * 7 + [False]
    assert both.sigma[7].max() > 1.0
    # The frames are turned: what does not depend on that is each point's σ in all.
    sums = [np.sum(one.sigma[:7] ** 2, axis=1) for one in (alone, both)]
    np.testing.assert_allclose(*sums, rtol=1e-6)


def test_a_truth_may_have_names():
    place = {"a": (0.0, 0.0), "b": (1.0, 0.0), "c": (0.0, 1.0), "d": (1.0, 1.0)}
    pairs = [(p, q) for p in place for q in place if p < q]
    d = [np.linalg.norm(np.subtract(place[p], place[q])) for p, q in pairs]
    found = ll.distances.locate(pairs, d)
    assert found.distance(place) < 1e-9
    with pytest.raises(ll.InvalidInput, match="truth"):
        found.distance({"a": (0.0, 0.0)})
