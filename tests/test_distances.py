"""Places from distances: what is determined, the fit, its errors, the front door."""

import csv

import numpy as np
import pytest
from cli_tools import run, strict_json

import liftless as ll
from liftless.distances.rigidity import rigidity


def ranged(n, reach, seed, dim=2):
    """Points in a unit cube, the pairs within reach, and their distances."""
    X = np.random.default_rng(seed).random((n, dim))
    D = np.linalg.norm(X[:, None] - X[None], axis=2)
    pairs = np.argwhere(np.triu(reach > D, 1))
    return X, pairs, D[tuple(pairs.T)]


K4 = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
K5 = [*K4, (0, 4), (1, 4), (2, 4), (3, 4)]
PRISM = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (0, 3), (1, 4), (2, 5)]
K33 = [(a, b) for a in (0, 1, 2) for b in (3, 4, 5)] + [(0, 1), (3, 4)]
HUNG = [*K5, (0, 5), (1, 5), (2, 5)]
#: pairs, n, dim, determined, flexible, (points, separator) of the mirrors
GRAPHS = {
    "triangle": ([(0, 1), (1, 2), (0, 2)], 3, 2, {0, 1, 2}, set(), []),
    "all pairs": (K4, 4, 2, {0, 1, 2, 3}, set(), []),
    "all but one of four": (K4[:-1], 4, 2, {0, 1, 2}, set(), [({3}, {0, 1})]),
    "two edges more": ([*K4, (0, 4), (1, 4)], 5, 2, {0, 1, 2, 3}, set(), [({4}, {0, 1})]),
    "one edge more": ([*K4, (0, 4)], 5, 2, {0, 1, 2, 3}, {4}, []),
    "a far pair": ([*K4, (4, 5)], 6, 2, {0, 1, 2, 3}, {4, 5}, []),
    "hung on three in space": (HUNG, 6, 3, set(range(5)), set(), [({5}, {0, 1, 2})]),
    "hung on two in space": ([*K5, (0, 5), (1, 5)], 6, 3, set(range(5)), {5}, []),
    "on a line": ([(0, 1), (1, 2), (0, 2), (2, 3)], 4, 1, {0, 1, 2}, set(), [({3}, {2})]),
    # Rigid and three-connected, but every edge is needed: the prism has other realisations.
    "prism": (PRISM, 6, 2, {0, 1, 2}, set(), [({3, 4, 5}, {0, 1, 2})]),
    # K33 with an edge more is redundantly rigid and three-connected (Jackson and Jordán).
    "K33 and two": (K33, 6, 2, set(range(6)), set(), []),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_what_a_graph_determines(name):
    pairs, n, dim, determined, flexible, mirrors = GRAPHS[name]
    found = rigidity(n, *np.array(pairs).T, dim)
    assert set(np.flatnonzero(found.flexible)) == flexible
    got = [(set(a.tolist()), set(b.tolist())) for a, b in found.mirrors]
    if name in ("all but one of four", "prism"):
        # Either side may be the body.
        assert found.determined.sum() == len(determined)
        assert len(got) == 1
        return
    assert set(np.flatnonzero(found.determined)) == determined
    assert got == mirrors


def test_exact_distances_give_the_places_and_the_ambiguous_ones_are_named():
    X, pairs, d = ranged(40, 0.33, 1)
    found = ll.distances.locate(pairs, d, 2, n=40)
    assert found.kind == "exact"
    assert found.determined.sum() > 30
    assert found.distance(X) < 1e-9
    lengths = np.linalg.norm(found.points[pairs[:, 0]] - found.points[pairs[:, 1]], axis=1)
    np.testing.assert_allclose(lengths, d, rtol=1e-8)
    assert found.points.mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
    again = ll.distances.locate(pairs, d, 2, n=40)
    np.testing.assert_array_equal(again.points, found.points)


def test_a_mirror_image_has_the_same_distances():
    X = np.array([[0, 0], [2, 0], [2, 2], [0, 2], [1, 3.0]])
    pairs = np.array([*K4, (2, 4), (3, 4)])
    d = np.linalg.norm(X[pairs[:, 0]] - X[pairs[:, 1]], axis=1)
    found = ll.distances.locate(pairs, d)
    assert (found.kind, found.status) == ("exact", 4)
    other = found.mirrored(0)
    assert np.linalg.norm(other[4] - found.points[4]) == pytest.approx(2.0)
    np.testing.assert_allclose(np.linalg.norm(other[pairs[:, 0]] - other[pairs[:, 1]], axis=1), d)
    assert "1 have another place" in found.message
    assert "mirror image in 2, 3" in str(found)
    with pytest.raises(IndexError):
        found.mirrored(1)


def test_anchors_give_places_in_their_frame():
    X, pairs, d = ranged(40, 0.33, 2)
    anchors = {int(k): X[k] for k in (3, 8, 20, 31)}
    found = ll.distances.locate(pairs, d, 2, anchors=anchors, n=40)
    assert found.kind == "exact"
    np.testing.assert_allclose(found.points[found.determined], X[found.determined], atol=1e-8)
    assert np.all(found.sigma[found.anchors] == 0)
    two = ll.distances.locate(pairs, d, 2, anchors={3: X[3], 8: X[8]}, n=40)
    np.testing.assert_allclose(two.points[[3, 8]], X[[3, 8]], atol=1e-12)
    assert "mirror image" in two.message


@pytest.mark.parametrize("also", [{}, {"a": (1, 1)}])
def test_an_anchor_without_distances_stays(also):
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    found = ll.distances.locate(pairs, [1.0, 1.0, 1.0], 2, anchors={"q": (0, 0), **also})
    place = dict(zip(found.names.tolist(), found.points, strict=True))
    np.testing.assert_array_equal(place["q"], [0, 0])
    gaps = [np.linalg.norm(place[a] - place[b]) for a, b in pairs]
    np.testing.assert_allclose(gaps, 1.0, rtol=1e-9)


@pytest.mark.parametrize("noise", ["absolute", "relative"])
def test_errors_are_those_of_the_dense_information(noise):
    X, pairs, d = ranged(8, 2.0, 3)
    std = 0.01 if noise == "absolute" else 0.02
    spread = std * (d if noise == "relative" else 1.0)
    read = d + spread * np.random.default_rng(4).standard_normal(d.size)
    found = ll.distances.locate(pairs, read, 2, std=std, noise=noise)
    assert found.kind == "fitted"
    assert found.determined.all()
    gap = found.points[pairs[:, 0]] - found.points[pairs[:, 1]]
    length = np.linalg.norm(gap, axis=1)
    spread = std * (length if noise == "relative" else np.ones(d.size))
    J = np.zeros((d.size, 8, 2))
    k = np.arange(d.size)
    J[k, pairs[:, 0]], J[k, pairs[:, 1]] = (
        gap / (length * spread)[:, None],
        -gap / (length * spread)[:, None],
    )
    J = J.reshape(d.size, -1)
    residual = (length - read) / spread
    np.testing.assert_allclose(J.T @ residual, 0, atol=0.02 * np.linalg.norm(J))
    C = np.linalg.pinv(J.T @ J, rcond=1e-10)
    np.testing.assert_allclose(found.sigma.ravel(), np.sqrt(np.diag(C)), rtol=1e-3)
    assert found.chi2 == pytest.approx(residual @ residual / (d.size - 13), rel=1e-3)
    assert found.distance(X) < 3 * np.sqrt(np.trace(C) / 15)


@pytest.mark.slow
def test_noise_of_unknown_size_is_told():
    _, pairs, d = ranged(15, 0.65, 3)
    read = d * (1 + 0.02 * np.random.default_rng(4).standard_normal(d.size))
    found = ll.distances.locate(pairs, read, 2, noise="relative")
    assert found.kind == "fitted"
    assert found.noise == pytest.approx(0.02, rel=0.3)


def test_a_wrong_distance_shows():
    _, pairs, d = ranged(8, 2.0, 3)
    read = d * (1 + 0.02 * np.random.default_rng(4).standard_normal(d.size))
    read[7] *= 1.6
    spoilt = ll.distances.locate(pairs, read, 2, std=0.02, noise="relative", rounds=1)
    assert (spoilt.kind, spoilt.status) == ("stationary", 4)
    assert np.argmax(np.abs(spoilt.residuals)) == 7


def test_a_pair_twice_is_its_mean_and_names_are_kept():
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a")]
    found = ll.distances.locate(pairs, [3.0, 4.0, 5.0, 3.2], 2, std=[0.1, 0.1, 0.1, 0.2])
    assert found.names.tolist() == ["a", "b", "c"]
    assert len(found.pairs) == 3
    gap = np.linalg.norm(found.points[0] - found.points[1])
    assert gap == pytest.approx((3.0 / 0.01 + 3.2 / 0.04) / (1 / 0.01 + 1 / 0.04))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pairs": [[0, 0], [1, 2]]}, "pairs was one point twice at index 0"),
        ({"pairs": [[0.5, 1], [1, 2]]}, "pairs was"),
        ({"d": [1.0]}, "d was an array"),
        ({"d": [1.0, 0.0]}, "d was 0 at index 1"),
        ({"d": [1.0, np.nan]}, "d was not finite"),
        ({"dim": 0}, "dim was 0"),
        ({"noise": "none"}, "noise was 'none'"),
        ({"std": -1.0}, "std was -1.0"),
        ({"std": [1.0]}, "std was"),
        ({"n": 2}, "pairs was from 0 to 2"),
        ({"anchors": {0: [1.0]}}, r"anchors\[0\] was"),
        ({"anchors": {"a": [1.0, 2.0]}}, "anchors was of the point 'a'"),
        ({"anchors": {k: [k, 0.0] for k in range(3)}}, "anchors was of every point"),
        ({"anchors": [1]}, r"anchors was \[1\]"),
        ({"rounds": 0}, "rounds was 0"),
    ],
)
def test_bad_arguments_are_told(change, words):
    given = {"pairs": [[0, 1], [1, 2]], "d": [1.0, 1.0]} | change
    with pytest.raises(ll.InvalidInput, match=words):
        ll.distances.locate(**given)


def test_command(tmp_path):
    X, pairs, d = ranged(12, 0.7, 5)
    file, fixed = tmp_path / "d.csv", tmp_path / "anchors.csv"
    with file.open("w", newline="") as stream:
        lines = [(f"s{i}", f"s{j}", x) for (i, j), x in zip(pairs, d, strict=True)]
        csv.writer(stream).writerows([("i", "j", "d"), *lines])
    fixed.write_text(
        "".join(
            f"s{k} {X[k, 0]!r} {X[k, 1]!r}\n".replace("np.float64(", "").replace(")", "")
            for k in (0, 4, 7)
        )
    )
    out, plot = tmp_path / "places.csv", tmp_path / "places.svg"
    words = ("--anchors", fixed, "--out", out, "--plot", plot, "--json", "--quiet")
    found = run("locate", file, *words)
    assert (found.code, found.err) == (0, "")
    told = strict_json(found.out)
    assert (told["kind"], told["determined"], told["anchors"]) == ("exact", 12, 3)
    with out.open(newline="") as stream:
        rows = {row["point"]: row for row in csv.DictReader(stream)}
    assert {row["certain"] for row in rows.values()} == {"1"}
    for k in range(12):
        place = [float(rows[f"s{k}"][axis]) for axis in "xy"]
        np.testing.assert_allclose(place, X[k], atol=1e-7)
    assert "<svg" in plot.read_text()
    assert "determined" in run("locate", file, "--quiet").out
    (tmp_path / "bad.csv").write_text("i,j,d\na,b,x\n")
    for bad in (
        ("locate", tmp_path / "bad.csv"),
        ("locate", file, "--noise", "some"),
        ("locate", file, "--out", file),
        ("locate", file, "--rounds", "0"),
    ):
        told = run(*bad)
        assert (told.code, told.out) == (2, "")
        assert told.err.count("\n") == 1
