"""Random instances: their laws, their data, and their seeds."""

import numpy as np
import pytest
from instance_tools import RANDOM, SMALL, arrays, fixed

from liftless.instances import (
    completion,
    gaussian,
    make_instance,
    phase,
    sparse,
)


class TestEnsembles:
    @pytest.mark.parametrize("name", RANDOM)
    def test_the_seed_decides(self, name):
        first, again = (make_instance(name, **SMALL[name], seed=7) for _ in range(2))
        other = make_instance(name, **SMALL[name], seed=8)
        assert first.seed == first.parameters["seed"] == 7
        np.testing.assert_array_equal(arrays(first), arrays(again))
        assert not np.array_equal(first.truth, other.truth)
        assert first.points == ()

    @pytest.mark.parametrize("name", RANDOM)
    def test_noise_keeps_the_rest(self, name):
        clean = make_instance(name, **SMALL[name])
        noisy = make_instance(name, **SMALL[name], noise=0.1)
        np.testing.assert_array_equal(fixed(clean), fixed(noisy))
        gap = noisy.problem.b - clean.problem.b
        assert 0.02 < np.sqrt(np.mean(gap**2)) < 0.3
        twice = make_instance(name, **SMALL[name], noise=0.2)
        np.testing.assert_allclose(twice.problem.b - clean.problem.b, 2 * gap, atol=1e-12)

    @pytest.mark.parametrize(("ensemble", "scale"), [("symmetric", 400), ("unsymmetrised", 1)])
    def test_gaussian_moments(self, ensemble, scale):
        instance = gaussian(6, 1, m=400, seed=3, ensemble=ensemble)
        packed = instance.problem.operator.packed * np.sqrt(scale)
        i, j = np.triu_indices(6)
        # Packed off-diagonals are sums of two entries: variance 2 in either ensemble.
        for part, variance in ((packed[:, i == j], 1.0), (packed[:, i != j], 2.0)):
            x = part.ravel() / np.sqrt(variance)
            assert abs(x.mean()) < 4 / np.sqrt(x.size)
            assert abs(np.mean(x**2) - 1) < 4 * np.sqrt(2 / x.size)
            assert abs(np.mean(x**4) - 3) < 4 * np.sqrt(96 / x.size)
        norm = np.sum(instance.truth**2) ** 2
        mean = instance.problem.b @ instance.problem.b * scale / 400
        assert abs(mean / norm - 1) < 4 * np.sqrt(2 / 400)

    def test_gaussian_ensembles_differ_by_a_factor(self):
        one, two = (make_instance(name, **SMALL["gaussian"]) for name in RANDOM[:2])
        m = one.problem.m
        np.testing.assert_allclose(one.problem.b * np.sqrt(m), two.problem.b, rtol=1e-12)
        assert (one.name, two.name) == ("gaussian", "gaussian-unsymmetrised")

    def test_more_measurements_keep_the_truth(self):
        np.testing.assert_array_equal(gaussian(5, 2, m=9).truth, gaussian(5, 2, m=20).truth)

    @pytest.mark.parametrize(
        ("given", "m"),
        [({}, 18), ({"m": 11}, 11), ({"ratio": 1.0}, 9), ({"ratio": 1.05}, 10)],
    )
    def test_number_of_measurements(self, given, m):
        instance = gaussian(5, 2, **given)
        assert instance.problem.m == instance.parameters["m"] == m
        assert instance.problem.degrees_of_freedom == 9

    def test_ratio_is_not_rounded_up_by_round_off(self):
        assert phase(50, ratio=1.1).problem.m == 55

    def test_phase_is_a_square(self):
        problem, truth = phase(5, ratio=3.0).problem, phase(5, ratio=3.0).truth
        np.testing.assert_allclose(problem.b, (problem.operator.a @ truth[:, 0]) ** 2)

    def test_completion_observes_entries(self):
        instance = completion(5, 2)
        operator = instance.problem.operator
        M = instance.truth @ instance.truth.T
        np.testing.assert_allclose(instance.problem.b, M[operator.rows, operator.cols])
        assert np.all(operator.rows <= operator.cols)
        assert completion(5, 2, probability=1.0).problem.m == 15

    def test_completion_rate(self):
        m = completion(60, probability=0.3).problem.m
        assert abs(m - 0.3 * 1830) < 4 * np.sqrt(1830 * 0.3 * 0.7)

    def test_sparse_measures_the_vector(self):
        instance = sparse(n=8, sparsity=2)
        problem = instance.problem
        u, v = np.split(instance.truth[:, 0] ** 2, 2)
        np.testing.assert_allclose(problem.b, problem.operator.diag[:, :8] @ (u - v), atol=1e-14)
        assert 1 <= abs(u - v)[u - v != 0].min() <= abs(u - v).max() <= 2
        assert sparse(n=8, sparsity=8).problem.m == 8
        assert sparse(n=8, sparsity=2, m=3).problem.m == 3
