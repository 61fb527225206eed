"""Every statement of the three papers, and the theory added to them, judged once.

The entries are data: files ``data/<paper>_*.toml``, one table a statement.  A verdict is the
statement's own.  What an experiment measured supports it, contradicts it, or is silent, and
:func:`disagreements` says where a run does not agree with what is written here.
"""

from liftless_papers.statements.agreement import Said, disagreements, said, untold
from liftless_papers.statements.base import (
    CHANGED,
    EMPTY,
    FAILS,
    HOLDS,
    KINDS,
    NUMBERED,
    OPEN,
    VERDICTS,
    Evidence,
    Statement,
    tally,
)
from liftless_papers.statements.registry import find, statements

__all__ = [
    "CHANGED",
    "EMPTY",
    "FAILS",
    "HOLDS",
    "KINDS",
    "NUMBERED",
    "OPEN",
    "VERDICTS",
    "Evidence",
    "Said",
    "Statement",
    "disagreements",
    "find",
    "said",
    "statements",
    "tally",
    "untold",
]
