"""Tables 2, 3 and 4 of the SOD paper and the comparison of cost: verdicts and key numbers."""

import pytest
from experiment_tools import smoke

from liftless_papers.experiments import CHANGED, FAILS, HOLDS
from liftless_papers.experiments.sod.theory.cost import explicit_operations

NAMES = ("sod-table2", "sod-table3", "sod-table4", "sod-cost")
VERDICTS = {
    "sod-table2": {
        "simplified form of T1": HOLDS,
        "simplified form of T2": HOLDS,
        "simplified form of T5": HOLDS,
        "simplified form of T9": HOLDS,
        "simplified form of T6 + T8": HOLDS,
        "simplified form of S1 - T4": HOLDS,
        "simplified form of S2 - T7": HOLDS,
        "simplified form of -T3": HOLDS,
        "simplified form of S - T": HOLDS,
        "the inequality is necessary for h to fall along u_n q_r'": CHANGED,
        "2 sigma^2 (1 + delta) + 2 lambda_n > 0 at a local minimum": CHANGED,
        "EFS > 1 gives descent along u_n q_r'": HOLDS,
    },
    "sod-table3": {
        "the gradient of Lemma A.1 at the t-th point is the sum of the 18 sub-terms": HOLDS,
        "sub-term 0 vanishes": HOLDS,
        "sub-term H_1^1 equals its simplified form": CHANGED,
        "sub-term H_1^2 equals its simplified form": CHANGED,
        **{
            f"sub-term H_{term} equals its simplified form": HOLDS
            for term in [f"{i}^{k}" for i, n in ((2, 6), (3, 6), (4, 3)) for k in range(1, n + 1)]
        },
        "its component along b is beta lambda_n^l": CHANGED,
        "it is parallel to b": FAILS,
    },
    "sod-table4": {
        "eta H_4^3 is of order rho^4 eta^3": CHANGED,
        "the sum of the 15 remaining terms is O((rho + eta) rho eta)": HOLDS,
        "v(t) is the next truncated point up to O((rho + eta) rho eta)": FAILS,
    },
    "sod-cost": {
        "the lifted variable has (nr)^l entries": HOLDS,
        "the cost of optimising in the lifted space grows as (nr)^l": CHANGED,
        "simulating the lift costs little beside lifting": HOLDS,
        "the cost of the simulated lift does not depend on the order": HOLDS,
        "optimising in the lifted space is infeasible for n > 10": CHANGED,
    },
}


def rows(name, table):
    return [row for row in smoke(name).rows if row["table"] == table]


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(name):
    found = {claim.text: claim.verdict for claim in smoke(name).claims}
    assert len(found) == len(smoke(name).claims)
    expected = VERDICTS[name]
    if name == "sod-table4":
        others = set(found) - set(expected)
        assert len(others) == 14
        assert {found[text] for text in others} == {HOLDS}
    else:
        assert set(found) == set(expected)
    assert {text: found[text] for text in expected} == expected


def test_table2_scores():
    scores = {row["case"]: row for row in rows("sod-table2", "scores")}
    assert scores["basic"]["efs"] == pytest.approx(1.0, abs=1e-12)
    assert scores["basic"]["exact"] == pytest.approx(1.0, abs=1e-12)
    assert scores["real-world"]["efs"] == pytest.approx(0.22764, abs=5e-6)
    assert scores["real-world"]["exact"] == pytest.approx(0.93019, abs=5e-6)
    assert scores["pmc, n = 3, eps = 0.3"]["efs"] == pytest.approx(0.1286, abs=5e-5)
    assert scores["pmc, n = 3, eps = 0.3"]["exact"] == pytest.approx(0.1978, abs=5e-5)
    assert scores["gaussian"]["exact"] > 1 > scores["gaussian"]["efs_upper"]


def test_table2_inequality_is_sufficient_and_not_necessary():
    checks = {row["case"]: row for row in rows("sod-table2", "inequality")}
    assert all(row["stated_not_falling"] == 0 for row in checks.values())
    assert checks["pmc, n = 3, eps = 0.9"]["stated"] > 0
    assert checks["gaussian"]["kind"] == "spurious"
    assert checks["gaussian"]["falling_not_stated"] > 0
    # Without delta the inequality promises descent that does not happen.
    assert checks["basic"]["naive_not_falling"] > 0


@pytest.mark.parametrize(
    ("label", "off", "cosine"),
    [
        ("basic l=3", 0.57, -1),
        ("basic l=5", 0.76, -1),
        ("real-world l=3", 0.68, -0.857),
        ("real-world l=5", 0.84, -0.754),
        ("pmc l=3", 0.96, -1),
        ("gaussian, r=2 l=3", 1.0, None),
    ],
)
def test_table3_growth_of_b(label, off, cosine):
    row = next(row for row in rows("sod-table3", "growth") if row["label"] == label)
    assert row["deviation"] == pytest.approx(off, abs=0.005)
    assert row["corrected"] < 1e-12
    assert row["along_b"] == pytest.approx(row["omega"], rel=1e-12)
    if cosine is not None:
        assert row["cosine"] == pytest.approx(cosine, abs=5e-4)


def test_table3_all_but_two_forms_are_exact():
    worst = {row["term"]: row for row in rows("sod-table3", "worst")}
    assert len(worst) == 18
    assert {name for name, row in worst.items() if row["printed"] > 1e-12} == {"H_1^1", "H_1^2"}
    assert all(row["corrected"] < 1e-12 for row in worst.values())


def test_table4_slopes():
    slopes = {
        (row["case"], row["term"]): (row["rho"], row["eta"]) for row in rows("sod-table4", "slopes")
    }
    assert slopes["real-world", "whole"] == pytest.approx((1, 1), abs=0.05)
    assert slopes["real-world", "H_4^3"] == pytest.approx((3, 3), abs=0.05)
    assert slopes["gaussian, r = 2", "H_3^6"] == pytest.approx((3, 4), abs=0.05)


def test_cost_rows():
    explicit = rows("sod-cost", "explicit")
    real = {row["order"]: row for row in explicit if row["case"] == "real-world"}
    assert (real[5]["entries"], real[5]["work"]) == (243, 59049)
    assert real[5]["bytes"] > 60 * real[3]["bytes"]
    closed = [row for row in rows("sod-cost", "closed") if row["case"] == "basic"]
    assert len({(row["bytes"], row["operations"]) for row in closed}) == 1


def test_operations_are_those_of_the_products():
    """By hand, n = 3 and m = 6: P Pᵀ and back, A on one mode after the other and back."""
    assert explicit_operations(3, 6, 1, 1) == 2 * 9 + 2 * 6 * 9
    assert explicit_operations(3, 6, 1, 2) == 2 * 81 + 2 * (6 * 81 + 36 * 9)
    assert explicit_operations(3, 6, 2, 2) == 2 * 81 * 4 + 2 * (6 * 81 + 36 * 9)
