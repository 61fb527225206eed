"""Verdicts after `recover` on families of tiny problems: is any one wrong?

Every family is drawn for many seeds and recovered in every storage its measurements admit.

WRONG          certified and called determined, but the matrix is not the truth
LUCKY          the truth, called determined everywhere, but the oracle knows another that fits
FALSE ALARM    said that other matrices fit, where the oracle finds none
doubt          the truth, called unique near itself only, or not accurate enough
not examined   an exact fit without a verdict
agreed         no exact fit was found, but a lowest level of several unlike starts: no proof
not certified  the same without agreement
right          what was said is so

The oracle (``soundness_oracle.py``) is none of the package's code.

Usage: python benchmarks/soundness.py [--families a,b] [--seeds 80] [--first 0] [--json FILE]
"""

import argparse
import collections
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import soundness_more  # noqa: F401  # registers its families
import soundness_oracle as oracle
from soundness_families import FAMILIES

import liftless as ll

#: Relative error of a matrix from which it is another one.
WRONG = 1e-5
OUTCOMES = (
    "right",
    "doubt",
    "agreed",
    "not certified",
    "not examined",
    "LUCKY",
    "FALSE ALARM",
    "WRONG",
    "CRASH",
)


def outcome(case, storage, seed, budget):
    """Recover one problem; the outcome and the reason."""
    result = ll.recover(case.problem(storage), budget=budget, seed=seed)
    if not result.success:
        return "not certified", result.certificate.kind
    if result.certificate.kind == "agreed":
        return "agreed", ""
    split = result.split
    M = oracle.matrix(case.Z, split)
    error = np.linalg.norm(result.matrix - M) / np.linalg.norm(M)
    verdict = result.identifiability
    if verdict is None:
        return ("not examined", "") if error <= WRONG else ("WRONG", "no verdict")
    used = case.matrices if case.weights is None else case.matrices[case.weights != 0]
    X = case.Z if error <= WRONG else verdict.factor
    if verdict.identifiable:
        if error > WRONG:
            return "WRONG", verdict.message
        if verdict.reach == "near" or oracle.linear(used, X, split):
            return "right", "near" if verdict.reach == "near" else ""
        other, _ = oracle.other_fit(used, X, split, seed)
        return ("right", "") if other is None else ("LUCKY", verdict.message)
    return said_no(verdict, used, X, split, seed, error)


def said_no(verdict, used, X, split, seed, error):
    """Judge a verdict that others fit, or a doubt."""
    if error > WRONG:
        return "right", "said so"
    if not verdict.open:
        return "doubt", verdict.findings[-1] + ": " + verdict.message
    if verdict.other is not None and oracle.fits(used, verdict.factor, verdict.other, split):
        return "right", "open"
    if oracle.curve(used, X, split) and not oracle.linear(used, X, split):
        return "right", "curve"
    other, back = oracle.other_fit(used, X, split, seed)
    if other is not None or not back:
        return "right", "open"
    return "FALSE ALARM", verdict.message


def judged(name, seed, budget, counts, reasons):
    """Draw one case, and count its outcomes by storage."""
    case = FAMILIES[name](np.random.default_rng([seed, *name.encode()]))
    verdicts = set()
    for storage in case.operators:
        try:
            end, reason = outcome(case, storage, seed, budget)
        except Exception as error:
            end, reason = "CRASH", f"{type(error).__name__}: {error}"
        counts[end] += 1
        verdicts.add(end)
        if end in ("WRONG", "LUCKY", "FALSE ALARM", "CRASH", "doubt"):
            reasons.append({"seed": seed, "storage": storage, "outcome": end, "reason": reason})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--families", help="names with commas between; all by default")
    parser.add_argument("--seeds", type=int, default=80)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--budget", type=int, default=3000)
    parser.add_argument("--json", type=Path, help="file for counts and reasons")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ll.InputWarning)
    names = args.families.split(",") if args.families else sorted(FAMILIES)
    rows = []
    print(f"{'family':28}" + "".join(f"{word:>14}" for word in OUTCOMES))
    for name in names:
        counts, reasons = collections.Counter(), []
        for seed in range(args.first, args.first + args.seeds):
            judged(name, seed, args.budget, counts, reasons)
        rows.append({"family": name, "counts": dict(counts), "reasons": reasons})
        print(f"{name:28}" + "".join(f"{counts[word]:14}" for word in OUTCOMES), flush=True)
        for row in [r for r in reasons if r["outcome"] != "doubt"][:3]:
            print(f"    {row['outcome']} seed {row['seed']} {row['storage']}: {row['reason']}")
        if args.json:
            args.json.write_text(json.dumps(rows, indent=1))
    total = sum((collections.Counter(row["counts"]) for row in rows), collections.Counter())
    print(f"{len(rows)} families, {sum(total.values())} recoveries: {dict(total)}")
    return 1 if total["WRONG"] + total["LUCKY"] + total["CRASH"] else 0


if __name__ == "__main__":
    sys.exit(main())
