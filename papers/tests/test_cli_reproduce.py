"""``liftless reproduce``, ``list`` and ``cite``, with experiments made for the test."""

import json
import math
import signal
import sys
import types

import pytest
from cli_tools import contents, run, strict_json, wait_for

from liftless import _ends
from liftless_papers.experiments import (
    EXPERIMENTS,
    Experiment,
    Figure,
    Layer,
    Outcome,
    Panel,
    number_claim,
    registry,
    table,
    truth_claim,
)

SHOWN = Panel("Title", "step", "value", (Layer("course", "k", "v", label="v"),))
KEYS = ["name", "paper", "size", "seed", "seconds", "rows", "claims", "against"]
CLAIM_KEYS = ["where", "text", "verdict", "measured", "expected", "tolerance", "note"]
FILES = {"tiny-a/course.csv", "tiny-a/shown.svg", "tiny-a/shown.png", "tiny-a/claims.json"}


class Tiny(Experiment):
    name = "tiny-a"
    title = "A tiny one"
    figures = (Figure("shown", "Seed {seed}.", (SHOWN,)),)

    def run(self, size, seed):
        rows = [{"k": k, "v": v} for k, v in enumerate((float(seed), math.nan, math.inf, 1.0))]
        claims = [
            number_claim("Table 1", "It is one", 1.0, 1.0, 0.1),
            truth_claim("Fig. 1", "It falls", False, note="It rises."),
        ]
        return Outcome(table("course", rows), claims, {"seed": seed, "size": size})


class Other(Tiny):
    name = "tiny-b"


class Broken(Tiny):
    name = "tiny-b"

    def run(self, size, seed):
        raise ZeroDivisionError("no number")


class Undrawable(Tiny):
    name = "tiny-b"
    figures = (Figure("shown", "{missing}", (SHOWN,)),)


class Pressed(Tiny):
    """The user presses Ctrl-C while it runs."""

    def run(self, size, seed):
        signal.raise_signal(signal.SIGINT)
        # The thread that listens must have heard before the experiment ends.
        assert wait_for(lambda: _ends._entered[-1].asked)
        return super().run(size, seed)


@pytest.fixture
def experiments(monkeypatch):
    """Replace the registry; a name without a class has no module."""

    def replace(**classes):
        module = types.ModuleType("liftless_papers.experiments.tiny")
        found = {}
        for key, cls in classes.items():
            name = key.replace("_", "-")
            if cls is None:
                found[name] = ("tiny_absent", "Absent", "Not there")
            else:
                setattr(module, cls.__name__, cls)
                found[name] = ("tiny", cls.__name__, cls.title)
        monkeypatch.setitem(sys.modules, "liftless_papers.experiments.tiny", module)
        for known in (registry.EXPERIMENTS, EXPERIMENTS):
            for name in list(known):
                monkeypatch.delitem(known, name)
            for name, entry in found.items():
                monkeypatch.setitem(known, name, entry)

    return replace


def test_json_of_one_experiment(experiments):
    experiments(tiny_a=Tiny)
    found = run("reproduce", "tiny-a", "--seed", "5", "--json", "--quiet")
    assert (found.code, found.err) == (0, "")
    fields = strict_json(found.out)
    assert list(fields) == KEYS
    assert (fields["name"], fields["paper"], fields["size"]) == ("tiny-a", "sod", "smoke")
    assert fields["seed"] == 5
    assert fields["seconds"] >= 0
    assert [row["v"] for row in fields["rows"]] == [5.0, None, None, 1.0]
    assert {row["table"] for row in fields["rows"]} == {"course"}
    assert [list(claim) for claim in fields["claims"]] == [CLAIM_KEYS, CLAIM_KEYS]
    assert [claim["verdict"] for claim in fields["claims"]] == ["holds", "fails"]


def test_report_in_words(experiments):
    experiments(tiny_a=Tiny, tiny_b=Other)
    found = run("reproduce", "all", "--size", "paper")
    assert found.code == 0
    lines = found.out.splitlines()
    assert lines[0].startswith("tiny-a: 2 claims: 1 fails, 0 holds with change, 1 holds; ")
    assert lines[1] == "  fails: Fig. 1: It falls | It rises."
    assert lines[2].startswith("tiny-b: ")
    assert found.err.splitlines() == [
        "tiny-a (1 of 2): A tiny one",
        "tiny-b (2 of 2): A tiny one",
    ]


def test_a_run_that_speaks_against_a_statement(experiments, monkeypatch):
    experiments(tiny_a=Tiny, tiny_b=Other)
    says = {"tiny-a": ["sod-x (holds): tiny-a says fails: Fig. 1: It falls"], "tiny-b": []}
    monkeypatch.setattr("liftless_papers.report.run.disagreements", lambda name, _: says[name])
    found = run("reproduce", "all", "--quiet")
    assert (found.code, found.err.count("\n")) == (3, 1)
    assert found.err.startswith("error: tiny-a: ")
    assert f"  speaks against the statement {says['tiny-a'][0]}" in found.out.splitlines()
    found = run("reproduce", "tiny-a", "--json", "--quiet")
    assert (found.code, strict_json(found.out)["against"]) == (3, says["tiny-a"])
    assert run("reproduce", "tiny-b", "--quiet").code == 0


def test_json_of_all(experiments):
    experiments(tiny_a=Tiny, tiny_b=Other)
    found = run("reproduce", "all", "--json", "--quiet")
    fields = strict_json(found.out)
    assert [entry["name"] for entry in fields["experiments"]] == ["tiny-a", "tiny-b"]
    assert fields["errors"] == []


def test_files_and_page(experiments, tmp_path):
    experiments(tiny_a=Tiny, tiny_b=Other)
    out = tmp_path / "report"
    found = run("reproduce", "all", "--out", out, "--quiet", "--seed", "3")
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines()[-1] == f"wrote {out / 'index.html'}"
    expected = FILES | {name.replace("tiny-a", "tiny-b") for name in FILES}
    assert set(contents(out)) == expected | {"index.html", "tiny-a", "tiny-b"}
    page = (out / "index.html").read_text("utf-8")
    assert page.index("liftless reproduce tiny-a --size smoke --seed 3") > 0
    assert json.loads((out / "tiny-b" / "claims.json").read_text("utf-8"))["seed"] == 3
    again = contents(out)
    assert run("reproduce", "all", "--out", out, "--quiet", "--seed", "3").code == 0
    for name, data in contents(out).items():
        if name.endswith((".csv", ".svg", ".png")):
            assert data == again[name], name


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tiny-c"], "Did you mean 'tiny-a'?"),
        (["tiny-a", "--size", "smok"], "Did you mean 'smoke'?"),
        (["tiny-a", "--seed", "-1"], "seed was -1"),
        (["tiny-a", "--seed", "x"], "see 'liftless reproduce --help'"),
    ],
)
def test_bad_input_writes_nothing(words, says, experiments, tmp_path):
    experiments(tiny_a=Tiny)
    found = run("reproduce", *words, "--out", tmp_path / "report")
    assert (found.code, found.out) == (2, "")
    assert found.err.count("\n") == 1
    assert says in found.err
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("out", ["file", "absent/report"])
def test_a_folder_that_cannot_be(out, experiments, tmp_path):
    experiments(tiny_a=Tiny)
    (tmp_path / "file").write_text("")
    found = run("reproduce", "tiny-a", "--out", tmp_path / out)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: out was ")
    assert set(contents(tmp_path)) == {"file"}


@pytest.mark.parametrize("bad", [Broken, Undrawable, None])
def test_an_error_ends_that_experiment_alone(bad, experiments, tmp_path):
    experiments(tiny_b=bad, tiny_a=Tiny)
    found = run("reproduce", "all", "--out", tmp_path / "r", "--json", "--quiet")
    assert found.code == 1
    assert found.err.startswith("error: tiny-b: ")
    assert found.err.count("\n") == 1
    fields = strict_json(found.out)
    assert [entry["name"] for entry in fields["experiments"]] == ["tiny-a"]
    assert [entry["name"] for entry in fields["errors"]] == ["tiny-b"]
    assert set(contents(tmp_path / "r")) == FILES | {"index.html", "tiny-a"}
    assert "ended with an error" in (tmp_path / "r" / "index.html").read_text("utf-8")


def test_an_error_of_the_last_is_on_the_page(experiments, tmp_path):
    experiments(tiny_a=Tiny, tiny_b=Broken)
    assert run("reproduce", "all", "--out", tmp_path / "r", "--quiet").code == 1
    assert "no number" in (tmp_path / "r" / "index.html").read_text("utf-8")


def test_one_experiment_that_fails_prints_no_json(experiments):
    experiments(tiny_b=Broken)
    found = run("reproduce", "tiny-b", "--json", "--quiet")
    assert (found.code, found.out) == (1, "")
    assert "ZeroDivisionError: no number" in found.err


def test_interrupt_keeps_what_is_finished(experiments, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        experiments(tiny_a=Pressed, tiny_b=Other)
        found = run("reproduce", "all", "--out", tmp_path / "r", "--json", "--quiet")
    finally:
        signal.signal(signal.SIGINT, before)
    assert found.code == 75
    assert "interrupted; 1 of 2 experiments are complete" in found.err
    assert [entry["name"] for entry in strict_json(found.out)["experiments"]] == ["tiny-a"]
    assert set(contents(tmp_path / "r")) == FILES | {"index.html", "tiny-a"}


def test_interrupt_at_once_leaves_no_half_file(experiments, tmp_path, monkeypatch):
    """Ctrl-C while files are written is Python's own: the file being written is not there."""

    def interrupted(*_):
        raise KeyboardInterrupt

    experiments(tiny_a=Tiny)
    monkeypatch.setattr("liftless_papers.report.run.save_figure", interrupted)
    found = run("reproduce", "tiny-a", "--out", tmp_path / "r", "--quiet")
    assert found.code == 75
    assert set(contents(tmp_path / "r")) == {"tiny-a", "tiny-a/course.csv"}


# -- list and cite --------------------------------------------------------------------------------


def test_list_loads_no_experiment(experiments):
    experiments(tiny_a=None, tiny_b=Tiny)
    assert run("list").out.splitlines() == ["  tiny-a  Not there", "  tiny-b  A tiny one"]
    listed = strict_json(run("list", "--json").out)["experiments"]
    assert listed[0] == {"name": "tiny-a", "paper": "tiny", "title": "Not there"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sod-fig3"], ["Tianqi Shen, ", "arXiv:2602.05887", "@misc{shen2026sod,"]),
        (["sod"], ["eprint = {2602.05887}"]),
        (["local"], ["arXiv:1605.07221", "@inproceedings{bhojanapalli2016local,"]),
        (["ipgd"], ["Implicit Regularization", "@misc{ma2025ipgd,"]),
        ([], ["@software{liftless,", "version = {"]),
    ],
)
def test_cite(words, says):
    found = run("cite", *words)
    assert (found.code, found.err) == (0, "")
    assert all(word in found.out for word in says)
    assert found.out.count("{") == found.out.count("}")


def test_cite_of_nothing_known():
    found = run("cite", "soda")
    assert (found.code, found.out) == (2, "")
    assert "Did you mean 'sod'?" in found.err
