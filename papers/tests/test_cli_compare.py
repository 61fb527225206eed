"""``liftless compare`` with methods made for the test: words, JSON, page, interrupt, bad input."""

import json
import re
import signal
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from cli_tools import contents, run, strict_json
from compare_tools import Absent, Broken, Dear, Pressed, Right, Small, Wrong, identified

from liftless.schedule import WorkerLost
from liftless_papers.cli import run_compare
from liftless_papers.compare import trials as module
from liftless_papers.compare.origin import traced
from liftless_papers.compare.store import read_store

__all__ = ["identified"]


@pytest.fixture
def methods(monkeypatch):
    def replace(**classes):
        found = {name.replace("_", "-"): cls for name, cls in classes.items()}
        monkeypatch.setattr("liftless_papers.compare.plan.METHODS", found)

    return replace


def stored(folder):
    return read_store(folder / "r" / "rows.sqlite")[1]


WORDS = ["compare", "--cells", "papers basic", "--trials", "5", "--quiet"]


def test_json_and_words(methods, tmp_path):
    methods(liftless=Right, dear=Dear, wrong=Wrong, spectral_once=Right)
    found = run(*WORDS, "--json", "--out", tmp_path / "r")
    assert (found.code, found.err) == (0, "")
    fields = strict_json(found.out)
    assert list(fields) == ["settings", "cells", "completion", "apart", "skipped", "rows"]
    assert fields["rows"] == str(tmp_path / "r" / "rows.sqlite")
    first = fields["cells"][0]
    assert (first["cell"], first["winners"], first["easy"]) == ("papers basic", ["liftless"], True)
    by_name = {row["method"]: row for row in first["methods"]}
    assert (by_name["liftless"]["successes"], by_name["wrong"]["successes"]) == (5, 0)
    assert by_name["wrong"]["mean_applications"] == 6000.0
    assert first["against"]["peer"] == "dear"
    assert first["against"]["applications_ratio"] == 0.2
    words = run(*WORDS).out
    assert "papers basic (5 trials)" in words
    assert "easy (the spectral start alone solves it): papers basic\n" in words


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.links, self.named = [], [], set()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.links += [given["href"]] if "href" in given else []
        self.named |= {given["id"]} if "id" in given else set()
        if tag not in ("meta", "br", "link", "use", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("use", "path"):
            assert self.open.pop() == tag


def test_files_and_page(methods, tmp_path):
    methods(liftless=Right, dear=Dear, spectral_once=Wrong)
    out = tmp_path / "r"
    assert run(*WORDS, "--out", out).out.splitlines()[-1] == f"wrote {out / 'index.html'}"
    text = (out / "index.html").read_text("utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    for link in tags.links:
        where = link[1:] in tags.named if link.startswith("#") else (out / link).is_file()
        assert where, link
    assert not re.search(r"https?://|<script|<link", text)
    assert "liftless compare --cells &#39;papers basic&#39;" in text
    assert "one compute thread" in text
    assert "Every instance is identifiable." in text
    names = set(contents(out))
    assert {"rows.sqlite", "compare/summary.csv", "compare/profiles.png"} <= names


def test_a_run_goes_on_and_asks_nothing_twice(methods, tmp_path):
    methods(liftless=Right)
    assert run(*WORDS, "--out", tmp_path / "r").code == 0
    before = stored(tmp_path)
    methods(liftless=Broken, dear=Dear)
    assert run(*WORDS, "--out", tmp_path / "r").code == 0
    after = stored(tmp_path)
    assert after[: len(before)] == before
    added = after[len(before) :]
    assert {row["method"] for row in added} == {"dear"}
    assert len(added) == 5
    refused = run(*WORDS, "--out", tmp_path / "r", "--seed", "1")
    assert (refused.code, refused.out) == (2, "")
    assert "seed was 1, but 0 in " in refused.err


def test_a_lost_process_is_one_line_and_what_was_done_is_shown(methods, tmp_path, monkeypatch):
    def lost(plan, done, on_row, **_):
        on_row(*traced(module.run_trial, plan.trials[0]))
        raise WorkerLost("a worker process ended with code -9")

    methods(a=Right)
    monkeypatch.setattr("liftless_papers.compare.plan.run_plan", lost)
    found = run(*WORDS, "--out", tmp_path / "r")
    text = "ended with code -9; 1 of 5 trials are done; the same command goes on\n"
    assert (found.code, found.err) == (1, f"error: a worker process {text}")
    assert "papers basic (1 trials)" in found.out


def test_interrupt_keeps_what_is_done(methods, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        methods(a=Right, b=Pressed, c=Right)
        heard = run_compare._Progress.tell

        # The thread that listens must have heard before the next trial.
        def patient(self, row):
            heard(self, row)
            signal.sigtimedwait([], 0.1)

        monkeypatch.setattr(run_compare._Progress, "tell", patient)
        # It has run in this process, so that it is pressed once.
        monkeypatch.setattr(module, "_WARM", _Everything())
        found = run(*WORDS, "--out", tmp_path / "r", "--json")
    finally:
        signal.signal(signal.SIGINT, before)
    assert found.code == 75
    assert "interrupted; 2 of 15 trials are done; the same command goes on" in found.err
    assert len(stored(tmp_path)) == 2
    assert strict_json(found.out)["cells"][0]["cell"] == "papers basic"
    methods(a=Right, b=Right, c=Right)
    assert run(*WORDS, "--out", tmp_path / "r").code == 0
    assert len(stored(tmp_path)) == 15


class _Everything(set):
    def __contains__(self, item):
        return True


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--families", "phas"], "Did you mean 'phase' or 'papers'?"),
        (["--methods", "liftles"], "Did you mean 'liftless'?"),
        (["--methods", "absent"], "which needs package_that_is_absent"),
        (["--cells", "papers basics"], "Did you mean 'papers basic'"),
        (["--trials", "0"], "trials was 0"),
        (["--jobs", "0"], "jobs was 0"),
        (["--seed", "-1"], "seed was -1"),
        (["--budget", "5"], "budget was 5"),
        (["--size", "smok"], "Did you mean 'smoke'?"),
        (["--trials", "x"], "see 'liftless compare --help'"),
    ],
)
def test_bad_input_writes_nothing(words, says, methods, tmp_path):
    methods(liftless=Right, absent=Absent)
    found = run("compare", *words, "--out", tmp_path / "r")
    assert (found.code, found.out) == (2, "")
    assert found.err.count("\n") == 1
    assert says in found.err
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("out", ["file", "absent/report"])
def test_a_folder_that_cannot_be(out, methods, tmp_path):
    methods(liftless=Right)
    (tmp_path / "file").write_text("")
    found = run(*WORDS, "--out", tmp_path / out)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("error: out was ")
    assert set(contents(tmp_path)) == {"file"}


def test_a_method_too_small_for_a_cell_is_noted(methods):
    methods(liftless=Right, small=Small)
    found = run("compare", "--cells", "papers real", "--trials", "1")
    assert found.code == 0
    assert "note: small is left out in 1 cell(s), the first by n = 3 is above 2" in found.err


def test_rows_are_exported(methods, tmp_path):
    methods(liftless=Right, wrong=Wrong)
    out, csv, lines = (tmp_path / name for name in ("r", "rows.csv", "rows.jsonl"))
    found = run(*WORDS, "--out", out, "--export", csv)
    assert (found.code, found.out.splitlines()[-1]) == (0, f"wrote {csv}")
    read = pd.read_csv(csv)
    assert run(*WORDS, "--out", out, "--export", lines, "--json").code == 0
    wide = pd.read_json(lines, lines=True)
    assert list(read.columns) == list(wide.columns)
    for frame in (read, wide):
        rows = stored(tmp_path)
        for name in ("method", "trial", "instance_seed", "objective"):
            assert frame[name].tolist() == [row[name] for row in rows]
        assert frame["code"].nunique() == 1
    assert json.loads(read["packages"][0])["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--export", "rows.txt", "--out", "r"], "one of .parquet, .csv, .jsonl"),
        (["--export", "absent/rows.csv", "--out", "r"], "in no directory that exists"),
        (["--export", "rows.csv"], "without --out"),
    ],
)
def test_an_export_that_cannot_be(words, says, methods, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    methods(liftless=Right)
    found = run(*WORDS, *words)
    assert (found.code, found.out) == (2, "")
    assert says in found.err
    assert contents(tmp_path) == {}


def test_list_runs_nothing():
    found = run("compare", "--list", "--cells", "results", "--json")
    assert found.code == 0
    listed = strict_json(found.out)
    assert len(listed["cells"]) == 9
    assert {"liftless", "restarts", "spectral-once"} <= set(listed["methods"])
