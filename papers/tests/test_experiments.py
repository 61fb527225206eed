"""What holds for every experiment: the registry, rows, claims, figures, and the same run again."""

import re

import pytest
from experiment_tools import smoke

from liftless_papers.experiments import CHANGED, EXPERIMENTS, FAILS, HOLDS, experiment
from liftless_papers.report.experiment import caption, draw
from liftless_papers.statements import disagreements, untold

#: Whole experiments that take minutes to compile.
SLOW = [name for name in EXPERIMENTS if name.startswith(("ipgd-", "local-"))] + ["sod-table1"]
#: A second run of these takes ten seconds and more.
LONG = ["sod-fig10", "sod-theory"]
#: Its rows are times and bytes of this machine.
MEASURED = "sod-cost"


def all_but(*left_out, slow=()):
    marks = {name: [pytest.mark.slow] for name in (*SLOW, *slow)}
    names = [name for name in EXPERIMENTS if name not in left_out]
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=marks.get(name, [])) for name in names]
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_is_what_the_registry_says(name):
    made = experiment(name)
    assert (made.name, made.title) == (name, EXPERIMENTS[name][2])
    assert made.paper == name.partition("-")[0]
    assert len({figure.name for figure in made.figures}) == len(made.figures)


@all_but()
def test_rows_are_flat_and_plain(name):
    rows = smoke(name).rows
    assert rows
    for row in rows:
        assert row["table"]
        assert all(isinstance(value, int | float | str | None) for value in row.values()), row


@all_but()
def test_claims_are_judged_once_and_say_why(name):
    claims = smoke(name).claims
    assert claims
    assert {claim.verdict for claim in claims} <= {HOLDS, CHANGED, FAILS}
    assert len({(claim.where, claim.text, claim.expected) for claim in claims}) == len(claims)
    for claim in claims:
        assert claim.where
        assert claim.text
        assert claim.verdict == HOLDS or claim.note, claim


@all_but()
def test_claims_agree_with_the_statements(name):
    claims = smoke(name).claims
    assert disagreements(name, claims) == []
    assert untold(name, claims) == []


@all_but()
def test_figures_are_drawn_from_the_rows(name):
    done = smoke(name)
    for figure in experiment(name).figures:
        words = caption(figure, done.values)
        assert "nan" not in words.split()
        # One of a thing, and ranges that are none.
        plural = "draws|trials|runs|seeds|starts|minima|instances|problems"
        assert not re.search(rf"(?<![\d.])1 ({plural})\b", words)
        assert not re.search(r"\b(\d+) to \1\b", words)
        assert len(draw(figure, done.rows, done.values).axes) >= len(figure.panels)


@all_but(MEASURED, slow=LONG)
def test_the_seed_decides_rows_and_claims(name):
    again = experiment(name).run("smoke", 0)
    # Text, because NaN is no number.
    assert repr(again.rows) == repr(smoke(name).rows)
    assert repr(again.claims) == repr(smoke(name).claims)
