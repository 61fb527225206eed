"""Rates that theorems promise, fitted: Theorem 3.3 of 003, Theorem 1 of 004."""

import math

import numpy as np
import pytest

from liftless_papers.experiments.ipgd._paths import uniform_ball

# -- 003, Theorem 3.3: noisy projected descent (4) on ‖UUᵀ − X*‖², δ = 0 ---------------------------

N, RANK, RUNS = 4, 2, 32
#: Step over ε², so that the noise leaves an error below ε; norm of the noise.
STEP, NOISE = 0.4, 1.0


def arrivals(eps, low, seed, most=60_000):
    """Steps until ‖UUᵀ − X*‖ <= ε of runs from random points of the sphere; inf if never."""
    rng, truth = np.random.default_rng(seed), np.zeros((N, N))
    truth[0, 0], truth[1, 1] = 1.0, low
    b = 1.2 * math.sqrt(np.trace(truth))
    U = rng.standard_normal((RUNS, N, RANK))
    U *= b / np.linalg.norm(U, axis=(1, 2), keepdims=True)
    found, eta = np.full(RUNS, np.inf), STEP * low * eps**2
    for t in range(most):
        gap = U @ U.swapaxes(1, 2) - truth
        near = np.linalg.norm(gap, axis=(1, 2)) <= eps
        found[near & np.isinf(found)] = t
        if np.isfinite(found).all():
            break
        psi = rng.standard_normal(U.shape)
        psi *= NOISE / np.linalg.norm(psi, axis=(1, 2), keepdims=True)
        U = U - eta * (gap @ U + psi)
        U *= np.minimum(1, b / np.linalg.norm(U, axis=(1, 2), keepdims=True))
    return found


def power(x, times):
    return float(np.polyfit(np.log(x), np.log(times), 1)[0])


def test_noisy_descent_arrives_in_polynomial_time():
    """Every run arrives; with a step of order ε² σ_r T grows like ε⁻² and at most σ_r⁻²."""
    accuracies = (0.6, 0.3, 0.15)
    times = [arrivals(eps, 0.5, 1) for eps in accuracies]
    assert np.isfinite(times).all()
    # T is (1/η) log(1/ε)/σ_r with η ~ ε² σ_r: two, and what the logarithm adds.
    assert 2 < -power(accuracies, np.median(times, axis=1)) < 3.2
    lows = (0.8, 0.4, 0.2)
    times = [arrivals(0.15, low, 2) for low in lows]
    assert np.isfinite(times).all()
    assert 0.8 < -power(lows, np.median(times, axis=1)) < 2


def test_the_chance_of_failure_costs_a_logarithm():
    """T at which all but a share c have arrived grows no faster than log(1/c)."""
    times = np.sort(np.concatenate([arrivals(0.3, 0.4, seed) for seed in range(12)]))
    assert np.isfinite(times).all()
    shares = np.array([0.5, 0.1, 0.03, 0.01])
    late = np.quantile(times, 1 - shares)
    grown = np.diff(late) / np.diff(np.log(1 / shares))
    assert grown[-1] < 2 * grown[0]


# -- 004, Theorem 1: PGD with γ = ε/L, T = Õ(Δ_f/(η ε²)) ------------------------------------------


def steps_of_pgd(eps, p, seed, eta=0.5):
    """Steps of Algorithm 1 on x^−p + (1 + cos y), x from 1, y at its saddle 0; L = ρ = 1.

    x^−p, continued below one, is where descent is as slow as the theorem allows: the gradient is
    below ε after ε^−(p+2)/(p+1) steps.
    """
    rng, gamma, x, y, t = np.random.default_rng(seed), eps, 1.0, 0.0, 0
    logs = math.log(1 / gamma) + math.log(8 / eps)
    T, F = int(2 / (eta * math.sqrt(eps)) * logs), eps**1.5

    def f(x, y):
        return x**-p + 1 + math.cos(y)

    while True:
        while math.hypot(p * x ** (-p - 1), math.sin(y)) > eps / 8:
            x, y, t = x + eta * p * x ** (-p - 1), y + eta * math.sin(y), t + 1
        before = f(x, y)
        kick = uniform_ball(rng, 1, 2, 1).ravel() * gamma
        x, y = x + kick[0], y + kick[1]
        for _ in range(T):
            x, y, t = x + eta * p * x ** (-p - 1), y + eta * math.sin(y), t + 1
        if f(x, y) > before - F:
            return t, math.hypot(p * x ** (-p - 1), math.sin(y)), math.cos(y)


@pytest.mark.parametrize("p", [0.1, 1.0])
def test_rate_of_perturbed_descent(p):
    """The power of 1/ε is at most two, and as near to it as (p + 2)/(p + 1) lets it be."""
    accuracies = np.array([1e-2, 5e-3, 2.5e-3])
    times = []
    for eps in accuracies:
        t, gradient, cosine = steps_of_pgd(eps, p, 0)
        times.append(t)
        assert gradient <= eps
        assert cosine <= math.sqrt(eps)  # second order: the saddle has been left
    measured = -power(accuracies, times)
    assert measured <= 2
    assert measured == pytest.approx((p + 2) / (p + 1), abs=0.45)
    # Δ_f = 3, and the logarithms of Õ.
    assert max(t * 0.5 * eps**2 / 3 for t, eps in zip(times, accuracies, strict=True)) < 10


def test_perturbations_add_in_the_square():
    """N_T = ε^−3/2 kicks of γ = ε leave γ √N_T = ε^1/4 where f is flat, and not γ N_T."""
    d, rng = 20, np.random.default_rng(0)
    for eps in (1e-1, 1e-2):
        count = round(eps**-1.5)
        left = [
            np.linalg.norm(eps * uniform_ball(rng, count, d, 1)[:, :, 0].sum(axis=0))
            for _ in range(50)
        ]
        assert np.mean(left) == pytest.approx(eps * math.sqrt(count * d / (d + 2)), rel=0.15)
        assert np.max(left) < 0.7 * eps * count
