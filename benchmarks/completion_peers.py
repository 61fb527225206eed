"""Completion side by side in one process: liftless, its peers, and the authors' own code beside.

Every method gets the same instances of the published sampler; success is a relative error below
1e-6 on the determined block.  Seconds are a processor's; methods that compile are run twice on an
instance and the second run is timed.  An iteration of LSQR is two applications; of liftless every
two applications count as one, sweeps of belief propagation included.

``--authors DIR`` runs the authors' Python as well, where DIR has ``GNMR_completion.py``
(github.com/pizilber/GNMR) and ``R2RILS.py`` (github.com/pizilber/R2RILS), which need scikit-learn;
``--agreement`` compares theirs with ours iteration by iteration instead.

Usage: python benchmarks/completion_peers.py --n 200 --ratios 1.3 2 --trials 3 [--authors DIR]
"""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse.linalg

from liftless._precision import double
from liftless.start.belief import complete_entries
from liftless_papers.compare.peers import GNMR, PEERS, R2RILS
from liftless_papers.compare.peers.base import Effort
from liftless_papers.compare.peers.entries import Data, Jacobian
from liftless_papers.compare.published import BLOCK, WHOLE, determined_lines, errors, published

#: The authors' settings: limits of their demonstration and of their code.
GNMR_OPTIONS = {"verbose": False, "alpha": 1, "stop_relRes": 5e-14, "stop_relDiff": 5e-14}
R2RILS_OPTIONS = {"verbose": False}
#: Applications a trial: more than any of the methods takes.
BUDGET = 10**7


class Counted:
    """SciPy's LSQR, its iterations counted."""

    def __init__(self) -> None:
        self.plain, self.steps = scipy.sparse.linalg.lsqr, 0

    def __call__(self, *args, **options):
        found = self.plain(*args, **options)
        self.steps += found[2]
        return found


def theirs(folder, counted):
    """The authors' functions of a dense matrix and its mask."""
    sys.path.insert(0, str(Path(folder).resolve()))
    scipy.sparse.linalg.lsqr = counted
    gnmr = importlib.import_module("GNMR_completion").GNMR_completion
    r2rils = importlib.import_module("R2RILS").R2RILS
    return {
        "misfits": lambda Y, mask, r, **more: gnmr(Y, mask, r, **(GNMR_OPTIONS | more))[3],
        "GNMR.py": lambda Y, mask, r, **more: gnmr(Y, mask, r, **(GNMR_OPTIONS | more))[0],
        "R2RILS.py": lambda Y, mask, r, **more: r2rils(Y, mask, r, **(R2RILS_OPTIONS | more))[0],
    }


def ours(problem, method, seed, target):
    """A factor, iterations of LSQR, applications, and its own report, by a peer or liftless."""
    if method == "complete":
        found = complete_entries(problem, seed)
        return found.X, found.applications / 2, found.applications, found.end
    found = PEERS[method]().solve(problem, budget=BUDGET, seed=seed, target=target)
    return found.X, found.lsqr, found.applications, found.message


def dense(instance):
    """The matrix with zeros where nothing is observed, and the mask."""
    entries, n = instance.problem.operator.entries(), instance.parameters["n"]
    Y, mask = np.zeros((2, n, n))
    at = np.asarray(entries.rows), np.asarray(entries.cols) - n
    Y[at], mask[at] = instance.problem.b, 1.0
    return Y, mask


def rows_of(instance, methods, authors, beside, counted, target):
    """One row a method on an instance."""
    problem, r = instance.problem, instance.parameters["rank"]
    known = determined_lines(problem)
    for method in methods:
        twice = method in ("liftless", "complete") or PEERS[method].compiles
        for _ in range(1 + twice):
            began = time.process_time()
            X, lsqr, applications, _ = ours(problem, method, instance.seed, target)
            cpu = time.process_time() - began
        yield method, X, int(lsqr), int(applications), cpu, known
    Y, mask = dense(instance)
    for method, run in authors.items():
        if method not in beside:
            continue
        counted.steps, began = 0, time.process_time()
        Z = run(Y, mask, r)
        cpu = time.process_time() - began
        U, s, Vt = np.linalg.svd(Z)
        root = np.sqrt(s[:r])
        X = np.concatenate([U[:, :r] * root, Vt[:r].T * root])
        yield method, X, counted.steps, 2 * counted.steps, cpu, known


def compare(args, authors, counted):
    """Run, and print a row a trial."""
    for ratio in args.ratios:
        for seed in range(args.seed, args.seed + args.trials):
            shape = {"n": args.n, "rank": args.rank, "ratio": ratio, "kappa": args.kappa}
            made = published(**shape, seed=seed)
            for method, X, lsqr, applications, cpu, known in rows_of(
                made, args.methods, authors, args.beside, counted, args.target
            ):
                block, whole = errors(X, made.truth, known, args.n)
                row = {**shape, "seed": seed, "method": method, "success": block < BLOCK}
                row |= {"whole_success": whole < WHOLE, "block": block, "whole": whole}
                row |= {"unknown": int(np.sum(~known)), "lsqr": lsqr}
                row |= {"applications": applications, "cpu": round(cpu, 4)}
                print(json.dumps(row), flush=True)


@double
def agreement(args, folder_functions):
    """Misfits of GNMR's linear problems, and estimates of R2RILS, ours against the authors'."""
    shape = {"n": args.n, "rank": args.rank, "ratio": args.ratios[0], "kappa": args.kappa}
    made = published(**shape, seed=args.seed)
    Y, mask = dense(made)
    effort = Effort(made.problem, BUDGET, 0, 0.0, 0.0, float("inf"))
    data = Data.of(effort)
    jacobian, X, peer = Jacobian(data), data.start(effort)[0] / np.sqrt(data.unit), GNMR()
    told = folder_functions["misfits"](Y, mask, args.rank, max_outer_iter=5)[1:]
    for k, expected in enumerate(told, 1):
        goal = data.y + data.measure(X)
        X, left = peer.step(effort, data, jacobian, X, goal, 1.0)
        print("GNMR misfit", k, f"{left / np.linalg.norm(goal):.12e} {expected:.12e}", flush=True)
    for steps in (1, 2, 3, 5):
        Z = folder_functions["R2RILS.py"](Y, mask, args.rank, max_iter=steps)
        effort, offered = Effort(made.problem, BUDGET, 0, 0.0, 0.0, float("inf")), []
        effort.offer = lambda X, h, offered=offered, **_: offered.append((h, X))
        R2RILS(outer=steps).search(effort)
        X = min(offered, key=lambda point: point[0])[1]
        M = X[: args.n] @ X[args.n :].T
        apart = np.linalg.norm(M - Z) / np.linalg.norm(Z)
        print("R2RILS estimate", steps, f"{apart:.1e} apart", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--rank", type=int, default=5)
    parser.add_argument("--kappa", type=float, default=10.0)
    parser.add_argument("--ratios", type=float, nargs="+", default=[1.3, 1.5, 2.0])
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--seed", type=int, default=51000)
    parser.add_argument("--methods", nargs="*", default=["liftless", "complete", "gnmr", "r2rils"])
    parser.add_argument("--target", type=float, default=1e-20)
    parser.add_argument("--authors")
    parser.add_argument("--beside", nargs="*", default=["GNMR.py", "R2RILS.py"])
    parser.add_argument("--agreement", action="store_true")
    args = parser.parse_args()
    counted = Counted()
    authors = theirs(args.authors, counted) if args.authors else {}
    if args.agreement:
        agreement(args, authors)
    else:
        compare(args, authors, counted)


if __name__ == "__main__":
    main()
