"""Whether every statement keeps its verdict: all experiments, at sizes and seeds of one's choice.

    python benchmarks/statements.py                           # smoke, seeds 0, 1, 2
    python benchmarks/statements.py --sizes smoke paper --only own-region local-fig1
    python benchmarks/statements.py --counts                  # no run: what is judged, and by what

One line a run: its CPU seconds, and where it speaks against what is written of a statement.  Then
the rows whose own verdict is not the same in all runs, for which no statement may rely on one.
"""

import argparse
import collections
import sys
import time

from liftless_papers.experiments import EXPERIMENTS, SIZES, experiment
from liftless_papers.experiments.papers import SOURCES
from liftless_papers.statements import HOLDS, NUMBERED, OPEN, disagreements, find, tally, untold


def print_counts() -> None:
    """Statements by paper and kind, and what the verdict "holds" rests on."""
    for paper in SOURCES:
        numbered = [one for one in find(paper) if one.kind in NUMBERED]
        others = [one for one in find(paper) if one.kind not in NUMBERED]
        for words, found in (("numbered", numbered), ("figures, tables, text", others)):
            if found:
                counts = ", ".join(f"{n} {verdict}" for verdict, n in tally(found).items() if n)
                judged = sum(one.verdict != OPEN for one in found)
                print(f"{paper}, {words}: {judged} of {len(found)} judged; {counts}")
    held = [one for one in find(None) if one.verdict == HOLDS]
    backed = [[e for e in one.evidence if e.says == "supports"] for one in held]
    rows = sum(any(e.source in EXPERIMENTS for e in found) for found in backed)
    tests = sum(bool(found) for found in backed) - rows
    print(
        f"{len(held)} hold: {rows} by rows, {tests} by tests alone, "
        f"{sum(not found for found in backed)} by nothing"
    )


def main() -> int:
    """Run them one after the other; 3 if a run speaks against a statement."""
    parser = argparse.ArgumentParser(description="Runs against the statements")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["smoke"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=EXPERIMENTS)
    parser.add_argument("--skip", nargs="+", metavar="NAME", choices=EXPERIMENTS, default=[])
    parser.add_argument("--counts", action="store_true", help="count entries and run nothing")
    options = parser.parse_args()
    if options.counts:
        print_counts()
        return 0
    against, verdicts = 0, collections.defaultdict(dict)
    for name in options.only or EXPERIMENTS:
        if name in options.skip:
            continue
        for size in options.sizes:
            for seed in options.seeds:
                began = time.process_time()
                claims = experiment(name).run(size, seed).claims
                found = disagreements(name, claims)
                found += [f"no statement names {c.where}: {c.text}" for c in untold(name, claims)]
                against += len(found)
                spent = time.process_time() - began
                print(f"{name} {size} {seed}: {spent:.1f} s, {len(found)} against", flush=True)
                for line in found:
                    print(f"  {line}", flush=True)
                for claim in claims:
                    key = name, claim.where, claim.text
                    verdicts[key][size, seed] = claim.verdict
    for (name, where, text), runs in verdicts.items():
        if len(set(runs.values())) > 1:
            kinds = collections.Counter(runs.values())
            shown = ", ".join(f"{verdict} {count}" for verdict, count in kinds.items())
            print(f"differs: {name}: {where}: {text}: {shown}", flush=True)
    return 3 if against else 0


if __name__ == "__main__":
    sys.exit(main())
