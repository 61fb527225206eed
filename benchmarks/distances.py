"""Places from distances: bodies found, errors over the Cramér–Rao bound, and peers beside.

Points are uniform in the unit square, and pairs are those within the radius of a mean degree.
Success is a root mean square error below 1e-6 over the determined points.

Usage: python benchmarks/distances.py [exact|noise|peers] [POINTS] [DEGREE] [SEEDS] [FIRST SEED]
"""

import sys
import time
import warnings

import numpy as np

import liftless as ll
from liftless.distances.data import read
from liftless.distances.fit import fit_of
from liftless.distances.likeliest import deviance, sharpened
from liftless.distances.rigid import motions, moved_onto
from liftless.distances.search import scaled
from liftless.identify.sparse_null import Information

NOISE = 0.05
#: Difference of two −2 log likelihoods that is none.
SAME = 0.1


def drawn(n, degree, seed, noise=0.0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, 2))
    gap = np.linalg.norm(X[:, None] - X[None], axis=2)
    pairs = np.argwhere(np.triu(gap < np.sqrt(degree / (n * np.pi)), 1))
    d = gap[tuple(pairs.T)]
    return X, pairs, d * (1 + noise * rng.standard_normal(d.size))


def rms(X, truth):
    return float(np.sqrt(np.mean(np.sum((moved_onto(X, X, truth) - truth) ** 2, axis=1))))


def exact(n, degree, seeds):
    good, spent, bodies = 0, [], []
    for seed in seeds:
        X, pairs, d = drawn(n, degree, seed)
        began = time.process_time()
        found = ll.distances.locate(pairs, d, 2, n=n, noise="relative", std=1e-6, seed=seed)
        spent.append(time.process_time() - began)
        good += found.distance(X) < 1e-6
        bodies.append(int(found.determined.sum()))
    print(
        f"{n} points, mean degree {degree:g}: exact {good} of {len(seeds)}, determined "
        f"{np.mean(bodies):.0f}, CPU seconds {np.median(spent):.2f} (most {max(spent):.1f})",
        flush=True,
    )


def bound(X, pairs, body, over):
    """Root mean square error of the Cramér–Rao bound of a body, over some of its points."""
    d = np.linalg.norm(X[pairs[:, 0]] - X[pairs[:, 1]], axis=1)
    data = read(pairs, d, 2, None, "relative", NOISE, len(X)).of(body)
    gauge = motions(X[body], np.zeros(0, int))
    told = Information(fit_of(data, roots=True).jacobian(X[body]), gauge)
    return float(np.sqrt(told.variances().reshape(-1, 2)[over[body]].sum() / over.sum()))


def noise(n, degree, seeds):
    """Errors over the bound, of all determined points and of those without a rival.

    Where the answer is likelier than the descent from the truth it is the estimator that errs, by a
    part that fits better reflected, and no search mends that: the bound is of a neighbourhood of
    the truth, and does not hold for it.
    """
    rows = []
    for seed in seeds:
        X, pairs, d = drawn(n, degree, seed, NOISE)
        began = time.process_time()
        found = ll.distances.locate(pairs, d, 2, n=n, noise="relative", std=NOISE, seed=seed)
        spent = time.process_time() - began
        body, certain = found.determined, found.certain
        data = read(pairs, d, 2, None, "relative", NOISE, n).of(body)
        near, there, _ = sharpened(data, X[body])
        here, mine, _ = sharpened(data, found.points[body])
        gain = deviance(here, mine) - deviance(near, there)
        least = bound(X, pairs, body, body)
        error, best = found.distance(X) / least, rms(there, X[body]) / least
        sure = found.distance(X, certain) / bound(X, pairs, body, certain)
        rows.append([error, best, sure, body.sum() - certain.sum(), gain, found.chi2, spent])
        print(
            f"  {seed}: {error:.2f}, from the truth {best:.2f}, without {rows[-1][3]:.0f} points "
            f"that have rivals {sure:.2f}, {gain:+.2f}",
            flush=True,
        )
    ratio, from_truth, sure, doubtful, gain, chi2, spent = np.array(rows).T
    likelier, failed = gain < -SAME, gain > SAME
    print(
        f"{n} points, mean degree {degree:g}, {NOISE:.0%} noise: error over the Cramér–Rao bound "
        f"{root(ratio):.2f} in mean square, median {np.median(ratio):.2f}; without the points that "
        f"have rivals ({np.mean(doubtful):.1f} a draw) {root(sure):.2f}, median "
        f"{np.median(sure):.2f}; of descents from the truth {root(from_truth):.2f}\n"
        f"body likelier than from the truth {likelier.sum()} (mean square "
        f"{root(ratio[likelier]):.2f}), less likely {failed.sum()} ({root(ratio[failed]):.2f}), "
        f"the same {np.sum(~likelier & ~failed)} ({root(ratio[~likelier & ~failed]):.2f}); "
        f"χ² {np.mean(chi2):.3f}, CPU seconds {np.median(spent):.1f}",
        flush=True,
    )


def root(x):
    return float(np.sqrt(np.mean(x**2))) if x.size else float("nan")


def peers(n, degree, seeds):
    """The same bodies by SMACOF, by SciPy's least squares, and by a semidefinite relaxation."""
    good = {"locate": 0, "SMACOF": 0, "least_squares": 0, "SDP": 0}
    spent = dict.fromkeys(good, 0.0)
    for seed in seeds:
        X, pairs, d = drawn(n, degree, seed)
        body = ll.distances.locate(pairs, d, 2, n=n, rounds=1).determined
        data = read(pairs, d, 2, None, "relative", None, n).of(body)
        truth = X[body]
        for name, call in (
            ("locate", _locate),
            ("SMACOF", _smacof),
            ("least_squares", _least_squares),
            ("SDP", _sdp),
        ):
            if name == "SDP" and n > 60:
                continue
            began = time.process_time()
            good[name] += rms(call(data, seed), truth) < 1e-3
            spent[name] += time.process_time() - began
    count = len(seeds)
    rows = [f"{k} {good[k]} of {count} ({spent[k] / count:.2f} s)" for k in good if spent[k]]
    print(f"{n} points, mean degree {degree:g}, error < 1e-3: {', '.join(rows)}", flush=True)


def _locate(data, seed):
    pairs = np.stack([data.i, data.j], axis=1)
    return ll.distances.locate(
        pairs, data.d, 2, n=data.n, noise="relative", std=1e-6, seed=seed
    ).points


def _smacof(data, seed):
    """Stress majorisation of path lengths, which SMACOF wants all of, from four starts."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra
    from sklearn.manifold import smacof

    graph = csr_array((data.d, (data.i, data.j)), shape=(data.n, data.n))
    paths = dijkstra(graph, directed=False)
    return smacof(paths, n_components=2, n_init=4, random_state=seed, max_iter=1000)[0]


def _least_squares(data, seed):
    """Trust region of SciPy on the distances, from random places, eight times, the best."""
    from scipy.optimize import least_squares
    from scipy.sparse import csr_array

    m, k = data.d.size, np.arange(data.d.size)
    place = np.stack([2 * data.i, 2 * data.i + 1, 2 * data.j, 2 * data.j + 1], axis=1)

    def residual(x):
        P = x.reshape(-1, 2)
        return np.linalg.norm(P[data.i] - P[data.j], axis=1) / data.d - 1

    def slope(x):
        P = x.reshape(-1, 2)
        gap = P[data.i] - P[data.j]
        unit = gap / (np.linalg.norm(gap, axis=1) * data.d)[:, None]
        rows = np.concatenate([unit, -unit], axis=1).ravel()
        return csr_array((rows, place.ravel(), 4 * np.r_[k, m]), shape=(m, 2 * data.n))

    rng, best = np.random.default_rng(seed), None
    size = float(np.ptp(scaled(data)))
    for _ in range(8):
        end = least_squares(
            residual, size * rng.random(2 * data.n), jac=slope, tr_solver="lsmr", max_nfev=200
        )
        best = end if best is None or end.cost < best.cost else best
    return best.x.reshape(-1, 2)


def _sdp(data, seed):
    """Gram matrix of least misfit and largest trace (to unfold), truncated."""
    import cvxpy as cp

    del seed
    G = cp.Variable((data.n, data.n), PSD=True)
    square = cp.diag(G)[data.i] + cp.diag(G)[data.j] - 2 * G[data.i, data.j]
    constraints = [cp.sum(G) == 0, square == data.d**2]
    problem = cp.Problem(cp.Maximize(cp.trace(G)), constraints)
    problem.solve(solver="CLARABEL")
    if G.value is None:
        return np.zeros((data.n, 2))
    values, vectors = np.linalg.eigh(G.value)
    return vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0))


def main():
    warnings.filterwarnings("ignore")
    what = sys.argv[1] if len(sys.argv) > 1 else "exact"
    n, degree = int(sys.argv[2]), float(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 20
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 900
    {"exact": exact, "noise": noise, "peers": peers}[what](n, degree, range(first, first + count))


if __name__ == "__main__":
    main()
