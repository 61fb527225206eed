"""Bits instead of values: cavity beliefs with expectation propagation, beside logistic descent.

Of a Gaussian matrix U Vᵀ of rank r, whose entries have the root mean square ``--size``, some are
seen as bits, one with probability 1/(1 + exp(−z)).  Belief propagation for values becomes one for
bits where every entry is replaced, in every sweep, by the Gaussian that leaves the cavity belief
about z with the mean and variance that the bit gives it (expectation propagation; the integrals by
Gauss–Hermite quadrature).  The rival is the minimiser of the logistic loss with a ridge, *at the
best of six ridges by the true error*, which no user knows.  Errors are relative to the matrix; so
is that of the best multiple of each estimate, since a mode is too long or too short.

Usage: python benchmarks/completion_bits.py [--n 100] [--rank 2] [--trials 3] [--size 2]
"""

import argparse
import time

import numpy as np

import liftless as ll

SHARES = (0.15, 0.25, 0.5, 1.0)
RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
SWEEPS, DAMPING = 80, 0.3
NODES, MASSES = np.polynomial.hermite_e.hermegauss(21)
MASSES = MASSES / MASSES.sum()


def sites(y, mean, variance):
    """Value and variance of the Gaussian that stands for a bit, given the cavity belief of z."""
    z = mean[..., None] + np.sqrt(variance)[..., None] * NODES
    weight = MASSES / (1 + np.exp(np.where(y[..., None] > 0, -z, z)))
    total = weight.sum(-1)
    first = (weight * z).sum(-1) / total
    second = (weight * (z - first[..., None]) ** 2).sum(-1) / total
    # The logistic likelihood is log-concave: the bit always narrows the belief.
    own = 1 / np.maximum(1 / second - 1 / variance, 1e-9)
    return own * (first / second - mean / variance), own


class Side:
    """Cavity beliefs of the lines of one side, as arrays over all pairs of lines."""

    def __init__(self, seen, r, first):
        p, q = seen.shape
        self.seen, self.prior = seen, np.eye(r)
        self.mean, self.cov = np.zeros((p, r)), np.tile(np.eye(r), (p, 1, 1))
        self.cavity, self.spread = np.repeat(first[:, None], q, 1), np.tile(np.eye(r), (p, q, 1, 1))

    def update(self, value, noise, other):
        """Regress every line on the cavity beliefs of the others; ``noise`` is all its variance."""
        v, w = other.cavity.transpose(1, 0, 2), self.seen / noise
        precision = np.linalg.inv(self.prior) + np.einsum("ij,ija,ijb->iab", w, v, v)
        self.cov = np.linalg.inv(precision)
        self.mean = np.einsum("iab,ij,ijb,ij->ia", self.cov, w, v, value)
        Cv = np.einsum("iab,ijb->ija", self.cov, v)
        k = np.einsum("ija,ija->ij", v, Cv)
        left = np.maximum(noise - k, 1e-9 * noise)
        miss = value - np.einsum("ija,ia->ij", v, self.mean)
        fresh = self.mean[:, None] - Cv * (miss / left)[..., None]
        self.cavity = DAMPING * self.cavity + (1 - DAMPING) * fresh
        self.spread = self.cov[:, None] + np.einsum("ija,ijb->ijab", Cv, Cv) / left[..., None, None]
        moments = np.einsum("ia,ib->ab", self.mean, self.mean) + self.cov.sum(0)
        self.prior = moments / len(self.mean)


def beliefs(seen, bits, r, seed):
    """Posterior mean of the matrix."""
    rng = np.random.default_rng(seed)
    sides = [
        Side(seen, r, rng.standard_normal((len(seen), r))),
        Side(seen.T, r, 0.3 * rng.standard_normal((len(seen.T), r))),
    ]
    for sweep in range(SWEEPS):
        for one, two, y in ((sides[0], sides[1], bits), (sides[1], sides[0], bits.T)):
            u, v = one.cavity, two.cavity.transpose(1, 0, 2)
            C, D = one.spread, two.spread.transpose(1, 0, 2, 3)
            from_other = np.einsum("ija,ijab,ijb->ij", u, D, u) + np.einsum("ijab,ijab->ij", C, D)
            from_own = np.einsum("ija,ijab,ijb->ij", v, C, v)
            z = np.einsum("ija,ija->ij", u, v)
            value, noise = sites(y, z, np.maximum(from_other + from_own, 1e-9))
            if sweep == 0:
                from_other = np.zeros_like(z)
            one.update(value, noise + from_other, two)
    return sides[0].mean @ sides[1].mean.T


def descent(seen, bits, r, M):
    """The minimiser of the logistic loss with the ridge that is best by the true error."""
    i, j = np.nonzero(seen)
    best, operator = (np.inf, None), ll.RectangularEntries(i, j, *seen.shape)
    for ridge in RIDGES:
        terms = [ll.Ridge(ridge)]
        problem = ll.Problem(operator, bits[i, j], r, loss=ll.Logistic(), regularisers=terms)
        estimate = ll.recover(problem, budget=3000, escape=None).matrix
        best = min(best, (np.linalg.norm(estimate - M), estimate), key=lambda pair: pair[0])
    return best[1]


def errors(estimate, M):
    """Relative error, and that of the best multiple."""
    size = np.vdot(estimate, estimate)
    multiple = np.vdot(estimate, M) / size if size > 0 else 0.0
    return np.array([np.linalg.norm(s * estimate - M) / np.linalg.norm(M) for s in (1, multiple)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--rank", type=int, default=2)
    parser.add_argument("--size", type=float, default=2.0)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--seed", type=int, default=930000)
    args = parser.parse_args()
    n, r = args.n, args.rank
    print(
        "| share | bits/dof | beliefs | best multiple | s | ridge at its best | best multiple | s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for share in SHARES:
        rows = []
        for k in range(args.trials):
            rng = np.random.default_rng([args.seed + k, round(1000 * share)])
            U, V = rng.standard_normal((2, n, r))
            M = args.size * U @ V.T / np.sqrt(r)
            seen = (rng.random((n, n)) < share).astype(float)
            bits = (rng.random((n, n)) < 1 / (1 + np.exp(-M))).astype(float)
            begun = time.process_time()
            ours = errors(beliefs(seen, bits, r, k), M)
            middle = time.process_time()
            theirs = errors(descent(seen, bits, r, M), M)
            rows.append([*ours, middle - begun, *theirs, time.process_time() - middle])
        med = np.median(rows, axis=0)
        cells = " | ".join(f"{x:.3f}" if q % 3 < 2 else f"{x:.1f}" for q, x in enumerate(med))
        print(f"| {share} | {share * n * n / (r * (2 * n - r)):.1f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
