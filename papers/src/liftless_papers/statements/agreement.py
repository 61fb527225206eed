"""Whether the claims that an experiment judged agree with the statements they speak about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from liftless_papers.experiments.base import Claim
from liftless_papers.statements.base import CHANGED, FAILS, HOLDS, Evidence, Statement
from liftless_papers.statements.registry import statements


@dataclass(frozen=True)
class Said:
    """What claims of one experiment say of one statement."""

    statement: Statement
    evidence: Evidence
    claims: tuple[Claim, ...]


def said(
    name: str, claims: Iterable[Claim], known: Sequence[Statement] | None = None
) -> list[Said]:
    """What the claims of an experiment say, by statement.

    Parameters
    ----------
    name : str
        Of the experiment.
    claims : iterable of Claim
    known : sequence of Statement, optional
        All statements if left out.
    """
    own = [claim for claim in claims if not claim.reference]
    found = []
    for statement in statements() if known is None else known:
        for one in statement.evidence:
            if one.source == name:
                rows = tuple(c for c in own if one.tells(c.where, c.text))
                found.append(Said(statement, one, rows))
    return found


def untold(
    name: str, claims: Iterable[Claim], known: Sequence[Statement] | None = None
) -> list[Claim]:
    """Claims of an experiment that no statement names."""
    claims = list(claims)
    told = {id(claim) for one in said(name, claims, known) for claim in one.claims}
    return [c for c in claims if not c.reference and id(c) not in told]


def disagreements(
    name: str, claims: Iterable[Claim], known: Sequence[Statement] | None = None
) -> list[str]:
    """Where a run speaks against what is written of a statement, a line each.

    A row that supports a statement must not fail, and must hold as printed where the statement
    does.  Among rows that contradict one, one at least must not hold.  Evidence that names rows
    which the run does not have is out of date, unless it is silent.
    """
    found = []
    for one in said(name, claims, known):
        label = f"{one.statement.name} ({one.statement.verdict})"
        place = f"{one.evidence.where}: {one.evidence.text}".rstrip(": ")
        verdicts = [claim.verdict for claim in one.claims]
        if not verdicts and one.evidence.says != "silent":
            found.append(f"{label}: {name} has no row {place!r}")
        elif one.evidence.says == "supports":
            allowed = {HOLDS} if one.statement.verdict == HOLDS else {HOLDS, CHANGED}
            found += [
                f"{label}: {name} says {claim.verdict}: {claim.where}: {claim.text}"
                for claim in one.claims
                if claim.verdict not in allowed
            ]
        elif one.evidence.says == "contradicts" and not {CHANGED, FAILS} & set(verdicts):
            found.append(f"{label}: in {name} every row of {place!r} holds")
    return found
