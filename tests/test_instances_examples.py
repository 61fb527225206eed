"""Examples 1 and 2 of the local-search paper, printed and corrected."""

import numpy as np
import pytest
from instance_tools import spectrum

from liftless.instances import (
    example_one,
    example_two,
    make_instance,
)

#: One small instance of every name; those with known points once more in other forms.

EXAMPLES = [
    ("example-1", {}),
    ("example-1", {"rank": 3}),
    ("example-1", {"form": "paper"}),
    ("example-1", {"rank": 3, "form": "paper"}),
    ("example-2", {}),
    ("example-2", {"rank": 4}),
    ("example-2", {"form": "paper"}),
    ("example-2", {"rank": 5, "form": "paper"}),
]


def printed_one(X, c, pairs):
    """Example 1, padded to the size of X."""
    M = X @ X.T
    f = (M[0, 0] + M[1, 1] - 1) ** 2 + (M[0, 0] - 1) ** 2
    f += sum((M[i, i] - 1) ** 2 for i in range(2, len(M)))
    return f + sum(c * (M[i, j] ** 2 + M[j, i] ** 2) for i, j in pairs)


def printed_two(X, c):
    """Example 2 of size 2k + 1; the printed one is k = 1, c = 1."""
    M = X @ X.T
    f = (M[0, 0] - 1) ** 2
    for i in range(1, len(M), 2):
        f += (M[0, 0] + M[i, i] + M[i + 1, i + 1] - 1) ** 2 + (M[i, i] - M[i + 1, i + 1]) ** 2
    return f + c * (np.sum(M**2) - np.sum(np.diag(M) ** 2))


class TestExamples:
    """Example 1 and Example 2, as printed and corrected."""

    @pytest.mark.parametrize("rank", [1, 3])
    @pytest.mark.parametrize("form", ["exact", "paper"])
    def test_one_is_the_printed_function(self, rank, form):
        problem = example_one(rank, form).problem
        assert (problem.n, problem.rank) == (rank + 1, rank)
        X = np.random.default_rng(2).standard_normal((rank + 1, rank))
        every = [(i, j) for i in range(rank + 1) for j in range(i + 1, rank + 1)]
        expected = printed_one(X, 2.0, every) if form == "exact" else printed_one(X, 1.0, [(0, 1)])
        assert problem.objective(X) == pytest.approx(expected, rel=1e-13)

    @pytest.mark.parametrize(
        ("rank", "form", "c"), [(2, "exact", 3.0), (4, "exact", 3.0), (2, "paper", 1.0)]
    )
    def test_two_is_the_printed_function(self, rank, form, c):
        problem = example_two(rank, form).problem
        assert (problem.n, problem.rank) == (rank + 1, rank)
        X = np.random.default_rng(3).standard_normal((rank + 1, rank))
        assert problem.objective(X) == pytest.approx(printed_two(X, c), rel=1e-13)

    def test_two_as_extended(self):
        problem = example_two(5, "paper").problem
        assert (problem.n, problem.rank) == (5, 5)
        X = np.random.default_rng(4).standard_normal((5, 5))
        assert problem.objective(X) == pytest.approx(printed_two(X, 0.0), rel=1e-13)

    @pytest.mark.parametrize(("name", "given"), EXAMPLES)
    def test_value_one_at_the_point(self, name, given):
        instance = make_instance(name, **given)
        assert instance.problem.objective(instance.points[0].X) == pytest.approx(1.0, rel=1e-14)

    @pytest.mark.parametrize("weight", [1.01, 1.1, 2.0])
    def test_one_curvature_grows_with_the_weight(self, weight):
        values = spectrum(example_one(1, weight=weight))
        np.testing.assert_allclose(values, [4 * (weight - 1), 8], rtol=1e-12)

    def test_one_padded_is_strict_up_to_rotations(self):
        values = spectrum(example_one(3))
        assert np.sum(abs(values) < 1e-12) == 3
        assert values[3] == pytest.approx(4.0)

    def test_one_as_printed(self):
        np.testing.assert_allclose(spectrum(example_one(1, "paper")), [0, 8], atol=1e-13)
        values = spectrum(example_one(3, "paper"))
        np.testing.assert_allclose(values[:2], -4, rtol=1e-12)
        assert values[2] > -1e-12

    @pytest.mark.parametrize("a", [0.1, 0.01, 0.001])
    def test_one_as_printed_falls(self, a):
        problem = example_one(1, "paper").problem
        X = np.sqrt(np.array([[a], [1 - 2 * a]]))
        assert problem.objective(X) == pytest.approx(1 - 2 * a * a, rel=1e-14)

    @pytest.mark.parametrize("p", [0.3, 0.1, 0.01])
    def test_curves_from_the_printed_saddles(self, p):
        def value(instance):
            X = instance.points[0].X.copy()
            X[0, 1 if instance.name == "example-1" else 0] = p
            return instance.problem.objective(X)

        assert value(example_one(3, "paper")) == pytest.approx(1 - 2 * p**2 + 2 * p**4, rel=1e-14)
        assert value(example_two(2, "paper")) == pytest.approx(1 - p**2 + 2 * p**4, rel=1e-14)
        assert value(example_two(5, "paper")) == pytest.approx(1 - 2 * p**2 + 3 * p**4, rel=1e-14)

    def test_two_as_printed(self):
        values = spectrum(example_two(2, "paper"))
        np.testing.assert_allclose(values[:2], -2, rtol=1e-12)
        assert values[2] > -1e-12
        values = spectrum(example_two(5, "paper"))
        np.testing.assert_allclose(values[:5], -4, rtol=1e-12)
        assert values[5] > -1e-12

    @pytest.mark.parametrize(
        ("rank", "weight", "flat"), [(2, 2.1, 1), (2, 3.0, 1), (4, 2.1, 6), (4, 3.0, 6)]
    )
    def test_two_is_strict_up_to_rotations(self, rank, weight, flat):
        values = spectrum(example_two(rank, weight=weight))
        assert np.sum(abs(values) < 1e-12) == flat
        assert values[flat] == pytest.approx(2 * (weight - 2), rel=1e-10)
