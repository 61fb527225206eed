"""The registry of statements: what an entry must have, what a run may not say, the command."""

import dataclasses
import math
import re
from pathlib import Path

import pytest
from cli_tools import run, strict_json

from liftless_papers.experiments import CHANGED, EXPERIMENTS, FAILS, HOLDS, truth_claim
from liftless_papers.experiments.papers import SOURCES
from liftless_papers.statements import (
    EMPTY,
    NUMBERED,
    OPEN,
    VERDICTS,
    Evidence,
    Statement,
    disagreements,
    find,
    statements,
    tally,
    untold,
)
from liftless_papers.statements.base import complaints

ALL = statements()
ROOT = Path(__file__).parents[2]
#: Numbers that the papers print: the last of every kind, by what their places begin with.
PRINTED = {
    "sod": [
        *("Definition 1.1", "Theorem 3.1", "Theorem 3.2", "Proposition 4.1", "Remark 4.1"),
        *("Proposition 4.2", "Definition 4.3", "Remark 4.2", "Theorem 4.4", "Algorithm 1"),
        *("Proposition 5.1", "Proposition 5.2", "Proposition 5.3", "Proposition 5.4"),
        *("Remark 5.1", "Remark 5.2", "Theorem 5.5", "Lemma A.1", "Lemma A.5", "Definition A.6"),
        *("Lemma A.7", "Lemma A.8", "Lemma B.1"),
    ],
    "local": [
        *("Definition 2.1", "Theorem 3.1", "Theorem 3.2", "Theorem 3.3", "Theorem 3.4"),
        *("Theorem 4.1", "Lemma 4.1", "Lemma 4.2", "Lemma 4.3", "Corollary 4.1", "Lemma 4.4"),
        *("Example 1", "Example 1, any rank", "Example 2", "Example 2, odd r"),
    ],
    "ipgd": [
        *(f"Definition {k}" for k in (1, 2, 3, 4, 5, 6, 7, 8)),
        *(f"Theorem {k}" for k in (1, 2, 5, 8, 31)),
        *(f"Proposition {k}" for k in (4, 6, 7, 11, 12, 23, 24, 28, 30)),
        *(f"Lemma {k}" for k in (9, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 25, 26, 27, 29)),
        *("Assumption 3", "Example 1", "Example 2", "Example 3", "Algorithm 1", "Algorithm 2"),
    ],
}


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_an_entry_is_complete(one):
    assert complaints(one) == []
    assert one.paper in SOURCES
    assert re.fullmatch(r"[a-z]+(-[A-Za-z0-9.]+)+", one.name)
    for evidence in one.evidence:
        if evidence.where:
            assert evidence.source in EXPERIMENTS
        elif ROOT.joinpath("docs").is_dir():
            assert ROOT.joinpath(evidence.source).is_file(), evidence.source


@pytest.mark.parametrize(("paper", "count"), [("sod", 23), ("local", 15), ("ipgd", 44)])
def test_every_number_is_there(paper, count):
    assert len(PRINTED[paper]) == count
    places = [one.place for one in find(paper) if one.kind in NUMBERED]
    for printed in PRINTED[paper]:
        assert any(re.match(re.escape(printed) + r"(?![.\d])", place) for place in places), printed


def test_few_are_open():
    numbered = [one for one in ALL if one.kind in NUMBERED]
    others = [one for one in ALL if one.kind not in NUMBERED]
    assert tally(numbered)[OPEN] <= 3
    assert tally(others)[OPEN] <= 0.05 * len(others)


# -- agreement with runs ---------------------------------------------------------------------------


def made(verdict, *says, **fields):
    evidence = tuple(Evidence("sod-fig1", "Fig. 1", text, word) for word, text in says)
    plain = Statement("sod-x", "figure", "Fig. 1", "It falls.", verdict, "", "", evidence)
    return dataclasses.replace(plain, **fields)


def judged(verdict, text="It falls", where="Fig. 1"):
    return truth_claim(where, text, verdict == HOLDS, changed=verdict == CHANGED, note="Why.")


@pytest.mark.parametrize(
    ("verdict", "says", "row", "agree"),
    [
        (HOLDS, "supports", HOLDS, True),
        (HOLDS, "supports", CHANGED, False),
        (HOLDS, "supports", FAILS, False),
        (CHANGED, "supports", HOLDS, True),
        (CHANGED, "supports", CHANGED, True),
        (CHANGED, "supports", FAILS, False),
        (CHANGED, "contradicts", HOLDS, False),
        (FAILS, "contradicts", HOLDS, False),
        (FAILS, "contradicts", CHANGED, True),
        (FAILS, "contradicts", FAILS, True),
        (EMPTY, "silent", FAILS, True),
        (HOLDS, "silent", FAILS, True),
    ],
)
def test_a_row_that_speaks_against_a_statement(verdict, says, row, agree):
    known = [made(verdict, (says, ""))]
    found = disagreements("sod-fig1", [judged(row)], known)
    assert (found == []) == agree
    assert disagreements("sod-fig2", [judged(row)], known) == []


def test_rows_that_are_not_there_and_rows_nobody_names():
    known = [made(HOLDS, ("supports", "It falls"))]
    claims = [judged(HOLDS), judged(HOLDS, "It rises"), judged(FAILS, where="Fig. 1 (reference)")]
    assert [claim.text for claim in untold("sod-fig1", claims, known)] == ["It rises"]
    assert disagreements("sod-fig1", claims[1:], known) == [
        "sod-x (holds): sod-fig1 has no row 'Fig. 1: It falls'"
    ]


@pytest.mark.parametrize(
    "bad",
    [
        made(HOLDS),
        made(HOLDS, ("silent", "")),
        made(HOLDS, ("supports", ""), ("contradicts", "")),
        made(FAILS, ("contradicts", "")),
        made(FAILS, ("supports", ""), change="Because."),
        made(EMPTY, ("silent", ""), change="Because."),
        made(CHANGED, ("supports", "")),
        made(CHANGED, change="With less."),
        made(OPEN),
        made("maybe", ("supports", "")),
        made(HOLDS, ("supports", ""), ("says", "")),
        made(HOLDS, ("supports", ""), kind="poem"),
    ],
)
def test_what_is_missing_is_said(bad):
    assert complaints(bad)


# -- the command -----------------------------------------------------------------------------------

KEYS = ["name", "paper", "kind", "place", "text", "verdict", "change", "evidence", "counterexample"]


def test_json():
    found = run("statements", "--json")
    assert (found.code, found.err) == (0, "")
    entries = strict_json(found.out)["statements"]
    assert len(entries) == len(ALL)
    assert all(list(entry) == KEYS for entry in entries)
    assert [entry["name"] for entry in entries] == [one.name for one in ALL]
    assert {entry["verdict"] for entry in entries} <= set(VERDICTS)
    (entry,) = strict_json(run("statements", "sod-prop-5.3", "--json").out)["statements"]
    assert entry["verdict"] == "fails"
    assert entry["counterexample"].endswith("counterexamples.prop_5_3")
    assert {"source", "where", "text", "says"} == set(entry["evidence"][0])


def test_lines_and_counts():
    found = run("statements", "local")
    lines = found.out.splitlines()
    assert (found.code, found.err, len(lines)) == (0, "", len(find("local")) + 1)
    assert lines[0].split("  ")[1] == "local-def-2.1"
    assert lines[-1].startswith(f"{len(find('local'))} statements: ")
    assert run("statements", "local", "--quiet").out.splitlines() == lines[:-1]
    counts = map(int, re.findall(r"(\d+) (?:fails|empty|holds|open)", lines[-1]))
    assert math.fsum(counts) == len(find("local"))


def test_one_in_full():
    lines = run("statements", "sod-thm-5.5").out.splitlines()
    assert lines[0].startswith("sod-thm-5.5: Theorem 5.5")
    assert lines[2].startswith("  empty: Every local minimum")
    assert "  contradicts: sod-theory: (5.17), Thm. 5.5" in lines
    assert lines[-1].endswith("counterexamples.survey")


def test_an_unknown_name():
    found = run("statements", "sod-prop-5.33")
    assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
    assert "Did you mean 'sod-prop-5.3'?" in found.err
