"""Rows in SQLite: each once, on disk or not at all, whoever else is there."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from liftless._errors import InvalidInput
from liftless.schedule.sources import code
from liftless_papers.compare.origin import origin
from liftless_papers.compare.rows import export_rows
from liftless_papers.compare.store import UNKNOWN, Store, read_store

SETTINGS = {"seed": 1, "sizes": (1, 2)}


def opened(path, settings=SETTINGS, kinds=None):
    return Store(path, settings, kinds, key=("k",))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.sqlite"


def test_a_store_goes_on_where_it_was_and_has_each_row_once(path):
    with opened(path) as store:
        assert store.append({"k": 0, "v": 0.1, "nested": [1, None]})
        assert not store.append({"k": 0, "v": 0.2})
    with opened(path) as store:
        assert store.rows == [{"k": 0, "v": 0.1, "nested": [1, None]}]
        assert store.append({"k": 1}, {"code": "other", "packages": {}})
        assert [one["code"] for one in store.origins] == [code(), "other"]
    settings, rows, origins = read_store(path)
    assert settings == {"seed": 1, "sizes": [1, 2]}
    assert [row["k"] for row in rows] == [0, 1]
    assert origins == [origin(), {"code": "other", "packages": {}}]
    assert {one.name for one in path.parent.iterdir()} == {"rows.sqlite"}


@pytest.mark.parametrize("torn", ["", '{"k": 2, "v"', '{"k": 2}'])
def test_lines_of_an_older_release_are_taken_over_once(torn, path):
    old = path.with_suffix(".jsonl")
    lines = ['{"settings": {"seed": 1, "sizes": [1, 2]}}', '{"k": 0}', '{"k": 1}']
    old.write_text("\n".join(lines) + "\n" + torn)
    before = old.read_bytes()
    for _ in range(2):
        with opened(path) as store:
            assert store.rows == [{"k": 0}, {"k": 1}]
    assert old.read_bytes() == before
    assert read_store(path)[2] == [UNKNOWN, UNKNOWN]


HEAD = '{"settings": {"seed": 1, "sizes": [1, 2]}}\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"settings": {"seed": 2, "sizes": [1, 2]}}\n', "seed was 1, but 2 in "),
        (HEAD + 'x\n{"k": 1}\n', "damaged in line 2"),
        (HEAD + '{"k": true}\n', "damaged in line 2, with 'k' = True"),
        (HEAD + "{}\n", "damaged in line 2, without 'k'"),
        ('{"k": 1}\n', "not a file of rows"),
        ("words", "not a file of rows"),
    ],
)
def test_lines_that_are_no_rows_make_no_store(text, says, path):
    path.with_suffix(".jsonl").write_text(text)
    with pytest.raises(InvalidInput, match=says):
        opened(path, kinds={"k": (int,)}).__enter__()
    assert not path.exists()


def test_another_store_is_refused_and_left_as_it_was(path):
    with opened(path) as store:
        store.append({"k": "x"})
    before = path.read_bytes()
    with pytest.raises(InvalidInput, match="seed was 2, but 1 in "):
        opened(path, {"seed": 2}).__enter__()
    with pytest.raises(InvalidInput, match="damaged in row 1, with 'k' = 'x'"):
        opened(path, kinds={"k": (int,)}).__enter__()
    assert path.read_bytes() == before


def _garbled(path):
    with opened(path) as store:
        for k in range(200):
            store.append({"k": k, "v": "x" * 100})
    data = bytearray(path.read_bytes())
    data[4096:20480] = os.urandom(16384)
    path.write_bytes(data)


def _foreign(path):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE rows (a)")
    database.close()


def _newer(path):
    with opened(path):
        pass
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("words, and no database at all" * 99), "no store of rows"),
        (_garbled, "damaged, or no store of rows"),
        (_foreign, "of another program"),
        (_newer, "form 2"),
    ],
)
def test_a_file_that_is_no_store(make, says, path):
    make(path)
    before = path.read_bytes()
    for look in (lambda: opened(path).__enter__(), lambda: read_store(path)):
        with pytest.raises(InvalidInput, match=says):
            look()
    assert path.read_bytes() == before


def test_a_run_killed_while_it_made_its_store(path):
    sqlite3.connect(path).close()
    path.touch()
    assert read_store(path) == ({}, [], [])
    with opened(path) as store:
        store.append({"k": 0})
    assert len(read_store(path)[1]) == 1


def test_two_runs_do_not_share_a_store(path):
    with opened(path) as store:
        for look in (lambda: opened(path).__enter__(), lambda: read_store(path)):
            with pytest.raises(InvalidInput, match="in use by another run"):
                look()
        assert store.append({"k": 0})
    assert len(read_store(path)[1]) == 1


def test_a_full_disk_names_the_file_and_leaves_whole_rows(path):
    with opened(path) as store:
        store.append({"k": 0})
        # SQLite's own limit, which it reports as it does a disk without room.
        pages = store._database.execute("PRAGMA page_count").fetchone()[0]
        store._database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OSError, match="No space") as caught:
            store.append({"k": 1, "v": "x" * 100_000})
        store._database.execute("PRAGMA max_page_count = 4294967294")
        assert store.append({"k": 2})
    assert caught.value.filename == str(path)
    assert [row["k"] for row in read_store(path)[1]] == [0, 2]


def test_a_store_that_may_not_be_written(path, monkeypatch):
    with opened(path) as store:
        store.append({"k": 0})
    real = sqlite3.connect

    def sealed(where, **options):
        # What a disk without writing leaves: the file can be opened, but only to be read.
        if Path(where) != path:
            return real(where, **options)
        return real(f"{path.as_uri()}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", sealed)
    with pytest.raises(OSError) as caught:
        opened(path).__enter__()
    assert caught.value.filename == str(path)
    assert [row["k"] for row in read_store(path)[1]] == [0]


#: Appends without end, and says so after each row that is on disk.
WRITER = """
import sys
from liftless_papers.compare.store import Store
with Store(sys.argv[1], {"seed": 1}, key=("k",)) as store:
    first = len(store.rows)
    for k in range(first, 10**9):
        store.append({"k": k, "v": "x" * 500}, {"code": "c", "packages": {}})
        print(k, flush=True)
"""


def test_a_killed_writer_loses_no_row_that_was_told(path):
    known = 0
    for lines in (1, 40):
        words = [sys.executable, "-c", WRITER, str(path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            told = [int(child.stdout.readline()) for _ in range(lines)]
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split("\n")[:-1]
        last = int(rest[-1]) if rest else told[-1]
        with opened(path, {"seed": 1}) as store:
            assert [row["k"] for row in store.rows] == list(range(len(store.rows)))
            # The row that was being written may be there too.
            assert last + 1 <= len(store.rows) <= last + 2
            assert len(store.rows) > known
            known = len(store.rows)


def test_parquet_has_the_rows_and_what_they_come_from(path):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    rows = [{"k": 0, "v": 0.5, "ok": True, "no": None}, {"k": 1, "v": 1.5, "ok": None, "no": 3}]
    target = path.with_suffix(".parquet")
    export_rows(target, rows, [origin(), UNKNOWN])
    read = pyarrow.read_table(target).to_pylist()
    assert [{name: row[name] for name in rows[0]} for row in read] == rows
    assert [row["code"] for row in read] == [code(), "unknown"]
    assert json.loads(read[0]["packages"]) == origin()["packages"]


def test_the_code_is_that_of_the_files():
    import liftless

    assert len(code()) == 16
    assert Path(liftless.__file__).name == "__init__.py"
    assert origin()["packages"]["liftless"] == liftless.__version__
