"""Files of tables: dialects, names and positions, what is written, what is refused."""

import csv
import subprocess
import sys

import numpy as np
import pytest
from table_tools import N2, holed

from liftless.cli import invoke
from liftless.tables import as_table
from liftless.tables.files import read_table

LONG = [("u1", "a b", 1.5), ("u1", "c", 2.0), ("u2", "c", -3.25), ("u3", "a b", 4.0)]
DIALECTS = {
    "comma": ("user,item,rating", ",", "."),
    "semicolon, decimal comma": ("user;item;rating", ";", ","),
    "tab": ("user\titem\trating", "\t", "."),
    "types in the heading": ("user_id:token,item_id:token,rating:float", ",", "."),
    "BOM": ("\ufeffuser,item,rating", ",", "."),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_long_text_in_every_dialect(tmp_path, name):
    head, mark, decimal = DIALECTS[name]
    path = tmp_path / "ratings.csv"
    lines = [mark.join((u, f'"{v}"', str(y).replace(".", decimal))) for u, v, y in LONG]
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    table = read_table(path, decimal=decimal)
    got = list(zip(table.rows[table.i], table.cols[table.j], table.y, strict=True))
    assert sorted(map(tuple, got)) == sorted(LONG)


def test_wide_text_and_arrays_are_the_same_table(tmp_path):
    D, _ = holed()
    wide, plain = tmp_path / "wide.csv", tmp_path / "plain.tsv"
    with wide.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["", *(f"c{k}" for k in range(N2))])
        for k, line in enumerate(D):
            writer.writerow([f"r{k}", *("NA" if np.isnan(x) else repr(float(x)) for x in line)])
    plain.write_text("\n".join("\t".join("" if np.isnan(x) else repr(float(x)) for x in line)
                               for line in D))  # fmt: skip
    np.save(tmp_path / "t.npy", D)
    expected = as_table(D)
    for path in (wide, plain, tmp_path / "t.npy"):
        table = read_table(path)
        np.testing.assert_array_equal(table.y, expected.y)
        np.testing.assert_array_equal((table.i, table.j), (expected.i, expected.j))


@pytest.mark.parametrize(
    ("given", "shape", "places"),
    [({}, (2, 2), ([0, 0, 1], [0, 1, 1])), ({"shape": (4, 5)}, (4, 5), ([1, 1, 3], [1, 4, 4])),
     ({"one_based": True}, (3, 4), ([0, 0, 2], [0, 3, 3])),
     ({"shape": (3, 4), "one_based": True}, (3, 4), ([0, 0, 2], [0, 3, 3]))],
)  # fmt: skip
def test_lines_are_names_or_positions_as_is_said(tmp_path, given, shape, places):
    path = tmp_path / "t.csv"
    path.write_text("row,col,value\n1,1,5\n1,4,6\n3,4,7\n")
    table = read_table(path, **given)
    assert table.shape == shape
    np.testing.assert_array_equal((table.i, table.j), places)


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("row,col,value\n0,1,5\n", ["--one-based"], "positions from 1 to"),
        ("row,col,value\n0,7,5\n", ["--shape", "3,4"], "positions from 0 to 3"),
        ("user,item,rating\nu,v,5\n", ["--shape", "3,4"], "whole number"),
        ("1,2\n3,\n", ["--shape", "3,4"], "wide table"),
        ("user,item,rating\nu,v,1\n", ["--out", "x.npz", "--mat73"], "mat73"),
        ("user,item,rating\nu,v,1\n", ["--plot", "x.gif"], "plot"),
        ("", [], "without a line"),
        ("a,b\n1\n", [], "even lines"),
        ("a,b,c\n1,2,x\n3,4,5\n", [], "line 2 has 'x'"),
        ("a,b\n1,2\n3,4\nx,5\n6,x\n", ["--rectangular"], "line 5 has 'x'"),
        ("user,item,rating\nu,v,1\nu,w,x\n", [], "line 3 has 'x'"),
        ("user,item,rating\nu,v,1\n", ["--rank", "²"], "rank was '²'"),
        ("user,item,rating\nu,v,1,5\n", [], "even lines"),
        ("user;item;rating\nu;v;1,5\n", [], "decimal"),
        ("user,item,rating\nu,v,1\n", ["--row", "x"], "one of the columns"),
        ("user,item,rating\nu,v,1\n", ["--rank", "x"], "rank"),
        ("user,item,rating\nu,v,1\n", ["--out", "x.doc"], ".csv"),
        ("user,item,rating\nu,v,1\n", ["--symmetric", "--rectangular"], "one of the two"),
    ],
)
def test_bad_files_get_one_line(tmp_path, capsys, text, words, told):
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert invoke(["complete", str(path), *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert told in err


def test_the_command_writes_the_completed_table(tmp_path):
    D, M = holed(2)
    np.save(tmp_path / "t.npy", D)
    words = ["complete", "t.npy", "--json", "--quiet", "--out", "full.csv", "--max-rank", "3"]
    found = subprocess.run([sys.executable, "-m", "liftless", *words], cwd=tmp_path, check=True,
                           capture_output=True, text=True)  # fmt: skip
    assert found.stderr == ""
    assert '"kind": "exact"' in found.stdout
    again = read_table(tmp_path / "full.csv")
    np.testing.assert_allclose(again.y, M[again.i, again.j], atol=1e-8)
