"""What a statement of a paper is, and what makes an entry complete."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

HOLDS, CHANGED, FAILS = "holds", "holds with change", "fails"
#: Its hypothesis is met by nothing, so that it says nothing.
EMPTY = "empty"
#: Not judged; the entry says why.
OPEN = "open"
VERDICTS = (FAILS, EMPTY, CHANGED, HOLDS, OPEN)

#: Kinds that the papers number.
NUMBERED = (
    "theorem",
    "proposition",
    "lemma",
    "corollary",
    "definition",
    "remark",
    "assumption",
    "example",
    "algorithm",
)
KINDS = (*NUMBERED, "equation", "figure", "table", "text")

#: What evidence may say of a statement.
SAYS = ("supports", "contradicts", "silent")


@dataclass(frozen=True)
class Evidence:
    """What judges a statement: rows of an experiment, or something shipped beside it.

    Attributes
    ----------
    source : str
        An experiment as ``liftless list`` names it, or the path of a test or a document from the
        root of the repository.
    where : str
        Place that the experiment's claims name; one that ends in ``*`` stands for all that begin
        so.  Empty for what is no experiment.
    text : str
        What the text of those claims begins with; empty for all of them.
    says : {"supports", "contradicts", "silent"}
        Of the statement as printed.  Silent rows are about an instance, and neither make the
        statement true nor refute it.
    """

    source: str
    where: str
    text: str
    says: str

    def tells(self, where: str, text: str) -> bool:
        """Whether a claim of that place and text is one of these rows."""
        if self.where.endswith("*"):
            placed = where.startswith(self.where[:-1])
        else:
            placed = where == self.where
        return bool(self.where) and placed and text.startswith(self.text)


@dataclass(frozen=True)
class Statement:
    """A statement of a paper.

    Attributes
    ----------
    name : str
        As on the command line, such as "sod-prop-5.3"; begins with the paper's key.
    kind : str
        One of :data:`KINDS`.
    place : str
        Where the paper has it.
    text : str
        What it says, in words of our own.
    verdict : str
        One of :data:`VERDICTS`.
    change : str
        The change with which it holds; why it fails or is empty; why it is open.
    counterexample : str
        Name of a script of :mod:`liftless_papers.statements.counterexamples`; empty if none.
    evidence : tuple of Evidence
    """

    name: str
    kind: str
    place: str
    text: str
    verdict: str
    change: str
    counterexample: str
    evidence: tuple[Evidence, ...]

    @property
    def paper(self) -> str:
        """Key of the paper, such as "sod"."""
        return self.name.partition("-")[0]

    @property
    def command(self) -> str:
        """Command line that shows the counterexample's numbers; empty if there is none."""
        home = "liftless_papers.statements.counterexamples"
        return f"python -m {home}.{self.counterexample}" if self.counterexample else ""

    def record(self) -> dict[str, Any]:
        """Return the entry as ``liftless statements --json`` prints it."""
        return {
            "name": self.name,
            "paper": self.paper,
            "kind": self.kind,
            "place": self.place,
            "text": self.text,
            "verdict": self.verdict,
            "change": self.change or None,
            "evidence": [dataclasses.asdict(one) for one in self.evidence],
            "counterexample": self.command or None,
        }


def complaints(statement: Statement) -> list[str]:
    """What is missing in an entry, or speaks against its verdict."""
    found = []
    says = {one.says for one in statement.evidence}
    if statement.kind not in KINDS:
        found.append(f"the kind {statement.kind!r} is none of {', '.join(KINDS)}")
    if statement.verdict not in VERDICTS:
        found.append(f"the verdict {statement.verdict!r} is none of {', '.join(VERDICTS)}")
    if says - set(SAYS):
        found.append(f"evidence says {', '.join(sorted(says - set(SAYS)))}")
    if statement.verdict == HOLDS and not ("supports" in says and "contradicts" not in says):
        found.append("holds, and what supports it is not named, or something contradicts it")
    if statement.verdict != HOLDS and not statement.change:
        found.append(f"{statement.verdict}, and does not say why or with what change")
    judged = "contradicts" in says or bool(statement.counterexample)
    if statement.verdict in (FAILS, EMPTY) and not judged:
        found.append(f"{statement.verdict}, and nothing contradicts it")
    if statement.verdict == CHANGED and not statement.evidence:
        found.append("holds with change, and nothing shows it")
    return found


def tally(found: Iterable[Statement]) -> dict[str, int]:
    """How many statements have each verdict."""
    verdicts = [one.verdict for one in found]
    return {verdict: verdicts.count(verdict) for verdict in VERDICTS}
