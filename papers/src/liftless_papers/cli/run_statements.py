"""``liftless statements``."""

from liftless.cli.messages import coloured, emit, emit_json
from liftless_papers.cli.options import StatementsOptions
from liftless_papers.statements import (
    CHANGED,
    EMPTY,
    FAILS,
    HOLDS,
    OPEN,
    Statement,
    find,
    tally,
)

#: Status whose colour a verdict has.
STATUS = {HOLDS: 0, CHANGED: 3, FAILS: 75, EMPTY: 75, OPEN: 4}


def run(options: StatementsOptions) -> int:
    """Print the statements of a paper, or one of them in full; no experiment is run."""
    found = find(options.name)
    if options.as_json:
        emit_json({"statements": [one.record() for one in found]})
    elif len(found) == 1 and options.name == found[0].name:
        _print_whole(found[0])
    else:
        _print_lines(found, options.quiet)
    return 0


def _print_lines(found: list[Statement], quiet: bool) -> None:
    """One line a statement, and the counts of the verdicts."""
    width = max(len(one.name) for one in found)
    for one in found:
        verdict = coloured(f"{one.verdict:<17}", STATUS[one.verdict])
        emit(f"  {one.name:<{width}}  {verdict}  {one.place}")
    if not quiet:
        counts = ", ".join(f"{number} {verdict}" for verdict, number in tally(found).items())
        emit(f"{len(found)} statements: {counts}")


def _print_whole(one: Statement) -> None:
    emit(f"{one.name}: {one.place}")
    emit(f"  {one.text}")
    emit(f"  {coloured(one.verdict, STATUS[one.verdict])}" + (f": {one.change}" * bool(one.change)))
    for evidence in one.evidence:
        rows = ": ".join(part for part in (evidence.where, evidence.text) if part)
        emit(f"  {evidence.says}: {evidence.source}" + (f": {rows}" * bool(rows)))
    if one.counterexample:
        emit(f"  counterexample: {one.command}")
