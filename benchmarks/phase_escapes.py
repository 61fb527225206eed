"""Escapes from spurious minima of complex problems: whether there is a way down, beside restarts.

    python benchmarks/phase_escapes.py gaussian 64 2.0 [--trials 20]
    python benchmarks/phase_escapes.py coded 16 2.2 [--trials 10] [--pairs 4]

Complex Gaussian rows (order, m/n), or images of that many pixels a side behind octanary masks with
readings missing at random (L).  Each draw gives one spurious minimum: where descent ends from
message passing, or with --random from a Gaussian factor, if that is not the truth.  Counted are the
minima with a negative eigenvalue of the slack; with a score above one, so that h falls along some
u c*, c complex (the exact single step in its closed form), at the lowest eigenvectors; those from
which a rung of the ladder ends lower, and at the truth; and the same of Gaussian restarts, and of
message passing from new seeds, as often as the applications of the whole ladder pay for.
"""

import argparse
import math
import time
from collections import Counter
from typing import Any

import numpy as np

import liftless as ll
from liftless.certificate import slack_eigenpairs
from liftless.escape import best_step
from liftless.start.message_passing import passing_start
from liftless.start.vector_passing import vector_start
from liftless_papers.compare.amplitude_instances import coded_image, complex_gaussian

#: Share of h(0) below which a minimum is the truth, and by which another one is lower.
EXACT, LOWER = 1e-18, 1e-6
#: Curvature that is round-off, relative to the largest.
FLAT = 1e-7


def instance(args: argparse.Namespace, seed: int) -> ll.Problem:
    """Problem of a draw."""
    if args.kind == "gaussian":
        return complex_gaussian(args.size, 1, args.ratio, 7100 + seed).problem
    L = math.ceil(args.ratio)
    made = coded_image(args.size, L, "octanary", False, 7200 + seed).problem
    rng = np.random.default_rng([73, seed])
    weights = 1 / np.sqrt(np.asarray(made.b) + 0.1 * np.mean(made.b))
    weights[rng.permutation(made.m)[: round((L - args.ratio) * args.size**2)]] = 0.0
    return ll.Problem(made.operator, made.b, 1, weights=weights)


class Account:
    """Local solves of one problem, and the applications that they took."""

    def __init__(self, problem: ll.Problem) -> None:
        self.problem, self.spent = problem, 0.0
        self.full = float(problem.zero_level(np.zeros((problem.n, 1))))

    def local(self, X: np.ndarray) -> tuple[np.ndarray, float]:
        """Descend by L-BFGS until it is slow, then by Levenberg–Marquardt to the end."""
        for method, stop in (
            (ll.LBFGS(), ll.Stop(1e-8, 1e-2, 300)),
            (ll.LevenbergMarquardt(), ll.Stop(1e-21, 1e-8, 200)),
        ):
            done = ll.descend(self.problem, X, method, stop)
            X, h = np.asarray(done.X), float(done.objective)
            self.spent += float(done.applications)
        return X, h

    def wide(self, X: np.ndarray, level: float) -> np.ndarray:
        """Descend in a wide factor to a level of h, and truncate."""
        done = ll.descend(self.problem, X, ll.LBFGS(), ll.Stop(level / self.full, 1e-3, 400))
        self.spent += float(done.applications) * X.shape[1]
        return self.problem.space.truncate(np.asarray(done.X), 1)

    def kind(self, h: float, before: float) -> str:
        """Whether an end is the truth, lower than another one, or no lower."""
        if h <= EXACT * self.full:
            return "truth"
        return "lower" if h < before * (1 - LOWER) else "no"


def gaussian(account: Account, seed: int) -> np.ndarray:
    """Gaussian factor of the size that the measurements have."""
    problem = account.problem
    X = np.random.default_rng([74, seed]).standard_normal((problem.n, 1))
    y, b, w = np.asarray(problem.measurements(X)), np.asarray(problem.b), np.asarray(problem.omega)
    account.spent += 1
    return X * math.sqrt(float(np.sum(w * b * y) / np.sum(w * y * y)))


def passed(account: Account, seed: int) -> np.ndarray:
    """Where message passing ends: from a random image behind masks, of Gaussian rows from a mixture
    of the spectral estimate and a Gaussian factor."""
    problem = account.problem
    if isinstance(problem.operator, ll.CodedDiffraction):
        X, spent, _ = vector_start(problem, ll.VectorPassing(tries=1), seed)
    else:
        X, spent, _ = passing_start(problem, ll.MessagePassing(fresh=0.5 * (seed % 1000 > 0)), seed)
    account.spent += spent
    return X


def rungs(account: Account, X: np.ndarray, h: float) -> dict[str, tuple[str, float]]:
    """Best end of every rung of the ladder, and its applications."""
    problem, found = account.problem, {}
    certificate = ll.certify(problem, X, second_order=False)
    best: dict[str, float] = {}
    for one in ll.Ladder().candidates(problem, X, certificate):
        before = account.spent
        point = one.point
        if one.settle is not None:
            whole = one.kind == "replace"
            point = account.wide(point, one.settle * (account.full if whole else h))
        end = account.local(point)[1]
        best[one.kind] = min(end, best.get(one.kind, math.inf))
        spent = found.get(one.kind, ("", 0.0))[1] + account.spent - before
        found[one.kind] = account.kind(best[one.kind], h), spent
    return found


def restarts(account: Account, start: Any, h: float, pays: float, seed: int) -> str:
    """Best end of fresh starts within so many applications; one is always made."""
    before, least, k = account.spent, math.inf, 0
    while k == 0 or account.spent - before < pays:
        k += 1
        least = min(least, account.local(start(account, 1000 * seed + k))[1])
    return account.kind(least, h)


def trial(args: argparse.Namespace, seed: int) -> dict[str, Any] | None:
    """One spurious minimum and all that is tried from it; None where the truth was found."""
    account = Account(instance(args, seed))
    X, h = account.local((gaussian if args.random else passed)(account, 1000 * seed))
    if account.kind(h, math.inf) == "truth":
        return None
    point = ll.certify(account.problem, X)
    values, vectors = slack_eigenpairs(account.problem, X, args.pairs)
    steps = [best_step(account.problem, X, float(v), vectors[:, k]) for k, v in enumerate(values)]
    row: dict[str, Any] = {
        "minimum": point.hessian_least >= -FLAT * point.hessian_largest,
        "h": h / account.full,
        "negative": int(np.sum(values < -1e-6 * abs(values[0]))),
        "score": steps[0].score,
        "best score": max(one.score for one in steps),
    }
    downhill = [one for one in steps if one.score > 1]
    ends = [account.local(X + one.amplitude * one.direction)[1] for one in downhill]
    row["single"] = account.kind(min(ends), h) if ends else "none"
    before = account.spent
    for name, (end, spent) in rungs(account, X, h).items():
        row[name], row[f"{name} spent"] = end, spent
    pays = row["pays"] = account.spent - before
    row["gaussian"] = restarts(account, gaussian, h, pays, seed)
    row["passing"] = restarts(account, passed, h, pays, seed)
    return row


def main() -> None:
    """A line a minimum with --verbose, and a summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["gaussian", "coded"])
    parser.add_argument("size", type=int)
    parser.add_argument("ratio", type=float)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw")
    parser.add_argument("--pairs", type=int, default=4, help="lowest eigenvectors of the slack")
    parser.add_argument("--random", action="store_true", help="minima from Gaussian factors")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    began, rows = time.process_time(), []
    for k in range(args.trials):
        row = trial(args, args.first + k)
        if row is not None:
            rows.append(row)
            if args.verbose:
                print(k, row, flush=True)
    words = f"{args.kind} {args.size} {args.ratio:g}{' random' if args.random else ''}"
    print(f"{words}: {len(rows)} of {args.trials} draws end at another minimum", end="; ")
    if rows:
        print(f"without negative curvature {sum(row['minimum'] for row in rows)}", end=", ")
        print(f"negative eigenvalue {sum(row['negative'] > 0 for row in rows)}", end=", ")
        print(f"score above one {sum(row['score'] > 1 for row in rows)}", end=", ")
        above = sum(row["best score"] > 1 for row in rows)
        print(f"at {args.pairs} eigenvectors {above}", end=", ")
        print(f"median score {np.median([row['best score'] for row in rows]):.3f}")
        for name in ("single", "replace", "lift", "swap", "gamma", "gaussian", "passing"):
            ends = Counter(row.get(name, "none") for row in rows)
            paid = [row.get(f"{name} spent", row["pays"]) for row in rows]
            words = f"lower {ends['lower'] + ends['truth']}, truth {ends['truth']}"
            print(f"  {name}: {words}, applications {np.median(paid):.0f}")
    print(f"  {(time.process_time() - began) / args.trials:.1f} s of processor a draw")


if __name__ == "__main__":
    main()
