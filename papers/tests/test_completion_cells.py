"""The published sampler, its determined block, quoted rates, and what the report makes of them."""

import numpy as np
import pytest
from cli_tools import run, strict_json
from compare_tools import Stub

from liftless import InvalidInput, Problem, RectangularEntries
from liftless_papers.compare.cells import CELLS, choose_cells, published_cells
from liftless_papers.compare.completion import completion_table
from liftless_papers.compare.peers import GNMR, Restarts
from liftless_papers.compare.plan import plan
from liftless_papers.compare.published import QUOTED, determined_lines, errors, published, quoted
from liftless_papers.compare.summary import summarise
from liftless_papers.compare.trials import Trial, run_trial
from liftless_papers.report.completion import completion_figures


def test_the_sampler_keeps_its_promises():
    made = published(n=40, rank=2, ratio=1.9, kappa=100.0, seed=3)
    entries = made.problem.operator.entries()
    i, j = np.asarray(entries.rows), np.asarray(entries.cols) - 40
    assert i.size == int(1.9 * 2 * 78)
    assert np.unique(i * 40 + j).size == i.size
    assert min(np.bincount(i, minlength=40).min(), np.bincount(j, minlength=40).min()) > 2
    s = made.problem.space.spectrum(made.truth)
    np.testing.assert_allclose(s[:2], [100.0, 1.0])
    assert np.array_equal(made.problem.b, published(40, 2, 1.9, 100.0, 3).problem.b)
    with pytest.raises(InvalidInput, match="ratio"):
        published(n=20, rank=5, ratio=3.0)


def test_determined_lines_by_hand():
    """Rank one: a line hangs on by one entry; one without an entry, and its like, is not known."""
    rows, cols = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1, 0, 1, 1, 2])
    problem = Problem(RectangularEntries(rows, cols, 4, 4), np.ones(6), 1)
    known = determined_lines(problem)
    # Row 2 by column 1; row 3 and column 2 have only each other, column 3 has nothing.
    assert known.tolist() == [True, True, True, False, True, True, False, False]
    truth = np.ones((8, 1))
    wrong = truth.copy()
    wrong[[3, 6]] = 2.0
    block, whole = errors(wrong, truth, known, problem.space)
    assert block == pytest.approx(0.0, abs=1e-15)
    # Of 16 ones, those of row 3 and column 2 but their crossing are 2, and that is 4.
    assert whole == pytest.approx(np.sqrt((6 + 9) / 16))


def test_cells_at_an_order():
    cells = published_cells(60)
    assert {c.n for c in cells} == {30, 60, 120}
    assert sum(c.n == 60 for c in cells) == 20
    assert all(c.by_block for c in cells)
    chosen = choose_cells(None, ["completion"])
    assert any(c.by_block for c in chosen)
    assert any(c.name == "completion n=30 r=2 p=0.25" for c in chosen)
    with pytest.raises(InvalidInput, match="n was 20"):
        published_cells(20)


def test_methods_of_other_kinds_stay_out_unless_named():
    cell = next(c for c in CELLS.values() if c.by_block)
    methods = {"gnmr": GNMR, "restarts": Restarts}
    asked = plan([cell], methods, 1, 0, 100)
    assert {t.method for t in asked.trials} == {"gnmr", "restarts"}
    assert {t.budget for t in asked.trials} == {100 * cell.effort}
    usual = plan([cell], methods, 1, 0, 100, named=False)
    assert {t.method for t in usual.trials} == {"gnmr"}
    gaussian = CELLS["gaussian n=20 r=1 m/dof=1.1"]
    assert not plan([gaussian], {"gnmr": GNMR}, 1, 0, 100).trials


def test_quoted_rates_are_those_of_the_tables():
    found = {q.method: q for q in quoted(5, 10.0, 1.5)}
    assert (found["MatrixIRLS"].success, found["MatrixIRLS"].seconds) == (0.58, 55.0)
    assert (found["R2RILS"].success, found["R2RILS"].seconds) == (0.89, 139.0)
    assert {q.method: q.success for q in quoted(5, 1e5, 1.8)} == {
        "MatrixIRLS": 0.92,
        "R2RILS": 0.26,
    }
    assert quoted(4, 10.0, 1.5) == []
    assert all(0 <= q.success <= 1 for q in QUOTED)


class Known(Stub):
    """Hands back the truth, spoilt in the lines that nothing determines."""

    name = "known"

    def search(self, effort):
        made = next(iter(self.instances))
        X = made.truth.copy()
        X[~determined_lines(made.problem)] = 0.0
        effort.offer(X, 0.0, fitted=False)
        effort.account.charge(7)
        effort.lsqr = 3
        return "done"


def test_rows_table_and_figures():
    cells = [c for c in published_cells(30) if c.kappa == 10.0 and c.ratio in (1.05, 2.0)]
    rows = []
    for cell in cells:
        row = run_trial(Trial(cell, "gnmr", GNMR, 0, 0, 200))
        made = cell.make(row["instance_seed"])
        Known.instances = [made]
        rows += [row, run_trial(Trial(cell, "known", Known, 0, 0, 200))]
        assert rows[-1]["success"] is True
        assert rows[-1]["unknown"] == int(np.sum(~determined_lines(made.problem)))
        assert (rows[-1]["lsqr"], rows[-1]["applications"], rows[-1]["jacobian_rank"]) == (
            3,
            7,
            None,
        )
        assert row["lsqr"] > 0
    summary = summarise(rows, cells, 200)
    found = completion_table(rows, cells, summary)
    assert {row["part"] for row in found} == {"curve", "quoted", "cost"}
    mine = {(r["n"], r["ratio"]): r for r in found if r["method"] == "known"}
    assert (60, 2.0) in mine
    assert mine[30, 2.0]["block"] == 1.0
    assert mine[30, 2.0]["lsqr"] == 3
    names = {r["method"]: r for r in found if r["part"] == "quoted" and r["ratio"] == 2.0}
    assert names["R2RILS (quoted, n = 1000)"]["whole"] == 1.0
    assert names["R2RILS (quoted, n = 1000)"]["block"] is None
    assert [figure.name for figure in completion_figures(found, 1)] == [
        "completion",
        "completion-cost",
    ]


def test_the_command_takes_an_order():
    found = run("compare", "--list", "--cells", "completion published", "--n", "60", "--json")
    assert found.code == 0
    assert {cell["n"] for cell in strict_json(found.out)["cells"]} == {30, 40, 60, 120}
    refused = run("compare", "--cells", "completion", "--n", "20")
    assert (refused.code, refused.out) == (2, "")
    assert "n was 20" in refused.err
    assert refused.err.count("\n") == 1
