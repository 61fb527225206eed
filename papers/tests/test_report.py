"""Drawing of every kind of layer, the page, and the files of a run."""

import csv
import itertools
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.colors import to_hex

from liftless._errors import InvalidInput
from liftless.figures import save_figure
from liftless_papers.experiments import (
    Claim,
    Experiment,
    Figure,
    Layer,
    Mark,
    Outcome,
    Panel,
    columns,
)
from liftless_papers.experiments.base import CHANGED, FAILS, HOLDS, table
from liftless_papers.experiments.papers import PAPERS, SOURCES
from liftless_papers.report.experiment import caption, draw, draw_panel
from liftless_papers.report.overlap import covered
from liftless_papers.report.page import page, section, show
from liftless_papers.report.run import Run, counts, write_run
from liftless_papers.report.style import pen
from liftless_papers.report.typeset import typeset
from liftless_papers.statements import statements, tally

INFINITE = float("inf")


def _rows():
    x = np.linspace(0.0, 2.0, 7)
    grid_x, grid_y = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 5))
    rows = []
    for name in ("first", "second"):
        rows += columns("lines", who=name, x=x, y=x**2, low=x**2 - 0.1, high=x**2 + 0.2)
    rows += columns("grid", x=grid_x.ravel(), y=grid_y.ravel(), z=(grid_x**2 + grid_y).ravel())
    rows += table("bars", [{"name": k, "v": v} for k, v in (("a", 1.0), ("b", None), ("c", 3.0))])
    rows += table("gaps", [{"x": float(k), "y": v} for k, v in enumerate((1.0, None, -1.0, 2.0))])
    rows += columns("areas", x=[3, 5, 7], low=[1.0, 10.0, math.nan], high=[50.0, INFINITE, 7.0])
    return rows + table("notes", [{"x": 0.5, "y": 0.5, "t": "here"}, {"x": 1.0, "y": None, "t": 1}])


ROWS = _rows()
LAYERS = {
    "line": Layer("lines", "x", "y", label="{group}", group="who", low="low", high="high"),
    "runs": Layer("lines", "x", "y", label="runs", group="who"),
    "points": Layer("lines", "x", "y", "points", label="p", low="low", high="high"),
    "kept": Layer("lines", "x", "y", "points", label="p", where=(("who", "first"),), dashed=True),
    "bar": Layer("bars", "name", "v", "bar", label="v"),
    "counted": Layer("lines", "x", "y", "bar", label="{group}", group="who"),
    "band": Layer("areas", "x", "low", "band", label="U", z="high"),
    "image": Layer("grid", "x", "y", "image", label="h", z="z"),
    "contour": Layer("grid", "x", "y", "contour", label="levels", z="z"),
    "path": Layer("lines", "x", "y", "path", label="{group}", group="who"),
    "text": Layer("notes", "x", "y", "text", z="t"),
    "gaps": Layer("gaps", "x", "y", label="gaps"),
    "curve": Layer("lines", "x", "y", "curve", label="{group}", group="who", dashed=True),
    "table": Layer("bars", "v", "name", "table", z="name", shade="v"),
}


def panel(*layers, **more):
    return Panel("Title", "x name", "y name", layers, **more)


def figure(*panels):
    return Figure("drawn", "Seed {seed}.", panels)


@pytest.mark.parametrize("name", LAYERS)
def test_every_kind_is_drawn(name):
    drawing = draw(figure(panel(LAYERS[name])), ROWS, {})
    axes = drawing.axes[0]
    assert (axes.get_title(loc="left"), axes.get_xlabel()) == ("Title", "x name")
    assert axes.has_data()
    width, height = drawing.get_size_inches()
    assert (width, height >= 2.9) == (4.4, True)


@pytest.mark.parametrize("scales", [("log", "log"), ("symlog", "symlog")])
def test_scales_take_zero_negative_and_missing_values(scales):
    layers = (LAYERS["gaps"], LAYERS["band"], LAYERS["line"])
    drawing = draw(figure(panel(*layers, x_scale=scales[0], y_scale=scales[1])), ROWS, {})
    assert drawing.axes[0].get_yscale() == scales[1]
    assert all(np.isfinite(drawing.axes[0].get_ylim()))


def test_marks_named_in_the_values_and_missing_ones():
    marks = (Mark("x", 1.0, "one"), Mark("x", "here", "there"), Mark("y", "none", "no"))
    drawing = draw(figure(panel(LAYERS["gaps"], marks=marks)), ROWS, {"here": 1.01, "none": None})
    notes = {note.get_text(): note for note in drawing.axes[0].texts}
    assert set(notes) == {"one", "there"}
    # Names of neighbours stand at different heights.
    assert notes["one"].xy[1] != notes["there"].xy[1]
    with pytest.raises(InvalidInput, match="here"):
        draw(figure(panel(LAYERS["gaps"], marks=marks)), ROWS, {})


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Layer("absent", "x", "y"), ("'absent'", "lines")),
        (Layer("lines", "x", "nothing"), ("'nothing'", "'lines'", "low")),
        (Layer("lines", "x", "y", where=(("who", "third"),)), ("'lines'", "'third'")),
        (Layer("lines", "x", "who"), ("'who'", "'first'", "a number")),
        (Layer("lines", "x", "y", "image"), ("image", "'lines'")),
        (Layer("gaps", "x", "x", "image", z="nothing"), ("'nothing'", "'gaps'")),
    ],
)
def test_missing_data_is_an_error_that_names_them(layer, words):
    with pytest.raises(InvalidInput) as error:
        draw(figure(panel(layer)), ROWS, {})
    assert all(word in str(error.value) for word in words), error.value


def test_caption_takes_the_values():
    assert caption(Figure("f", "{seed}: {x:.2f}", ()), {"seed": 3, "x": 0.5}) == "3: 0.50"
    with pytest.raises(InvalidInput, match="caption of 'f'"):
        caption(Figure("f", "{other}", ()), {"seed": 3})


def test_a_legend_hides_no_data_and_can_be_left_out():
    full = Layer("lines", "x", "y", "band", label="all of it", z="wide")
    rows = [row | {"wide": 1e3} for row in ROWS if row["table"] == "lines"]
    covered = draw_panel(panel(full, y_limits=(0.0, 1.0)), rows, {}, 2.9)
    axes = covered.axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert legend.get_window_extent().y1 < axes.get_window_extent().y0
    assert covered.get_size_inches()[1] > 2.9
    free = draw_panel(panel(LAYERS["kept"]), ROWS, {}, 2.9)
    assert free.get_size_inches()[1] == 2.9
    none = draw_panel(panel(LAYERS["kept"], legend="none"), ROWS, {}, 2.9)
    assert none.axes[0].get_legend() is None


def test_series_differ_without_colour():
    pens = [pen(k) for k in range(16)]
    assert len({(p.colour, p.marker) for p in pens}) == 16
    assert len({p.marker for p in pens[:8]}) == len({p.hatch for p in pens[:8]}) == 8


def test_an_unlabelled_layer_shares_the_style_of_its_series():
    line = Layer("lines", "x", "y", label="{group}", group="who")
    area = Layer("lines", "x", "low", "band", z="high", group="who")
    axes = draw(figure(panel(area, line)), ROWS, {}).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["first", "second"]
    lines = {to_hex(line.get_color()) for line in axes.get_lines() if line.get_linestyle() == "-"}
    areas = {
        to_hex(area.get_facecolor()[0]) for area in axes.collections if area.get_alpha() == 0.25
    }
    assert areas == lines == {"#0072b2", "#d55e00"}


def test_the_same_rows_give_the_same_bytes(tmp_path):
    shown = figure(panel(LAYERS["line"]), panel(LAYERS["bar"]), panel(LAYERS["image"]))
    for suffix in ("svg", "png"):
        files = [tmp_path / f"{k}.{suffix}" for k in (1, 2)]
        for file in files:
            save_figure(draw(shown, ROWS, {}), file)
        assert files[0].read_bytes() == files[1].read_bytes()


# -- the page --------------------------------------------------------------------------------------

CLAIMS = [
    Claim("Place 1", "Text one", HOLDS, 1.0, 1.0, 1e-3),
    Claim("Place 2", "Text <b>two</b>", FAILS, math.nan, 2.0, note="<script>alert(1)</script>"),
    Claim("Place 3", "Text three", CHANGED, True, False, note="after a change"),
    Claim("Place 4", "Text four", HOLDS, "many", None),
]


class Drawn(Experiment):
    name = "drawn-one"
    title = "Drawn & quartered"
    figures = (
        Figure("both", "Seed {seed} & <caption>.", (panel(LAYERS["line"]), panel(LAYERS["bar"]))),
        Figure("again", "Same again.", (panel(LAYERS["line"], LAYERS["band"]),)),
    )

    def run(self, size, seed):
        return Outcome(ROWS, CLAIMS, {"seed": seed})


@pytest.fixture(scope="module")
def done():
    return Run(Drawn(), "smoke", 7, 0.25, Drawn().run("smoke", 7))


@pytest.fixture(scope="module")
def html(done):
    return page([section(done)], [("sod-other", "ValueError: <bad>")])


class Reader(HTMLParser):
    """Collects names, links and the headings' levels, and checks that elements close in order."""

    EMPTY = frozenset({"meta", "link", "br", "img", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.levels, self.tags = [], [], [], [], []
        self.references = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        for name in ("href", "src", "xlink:href"):
            if name in found:
                (self.links if name != "xlink:href" else self.references).append(found[name])
        if re.fullmatch(r"h\d", tag):
            self.levels.append(int(tag[1]))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_stands_alone(html):
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert "http" not in html
    assert "<script" not in html
    assert len(reader.ids) == len(set(reader.ids))
    names = {f"#{name}" for name in reader.ids}
    assert {link for link in reader.links if link.startswith("#")} <= names
    assert set(reader.references) <= names
    assert set(re.findall(r"url\((#[^)]*)\)", html)) <= names
    files = {link for link in reader.links if not link.startswith("#")}
    assert files == {f"drawn-one/{f}.{s}" for f in ("both", "again") for s in ("svg", "png")} | {
        f"drawn-one/{name}.csv" for name in ("lines", "grid", "bars", "gaps", "areas", "notes")
    }
    assert reader.levels[0] == 1
    assert reader.levels.count(1) == 1
    # No level is skipped.
    assert all(b <= a + 1 for a, b in itertools.pairwise(reader.levels))
    assert ("html", {"lang": "en"}) in reader.tags
    assert any(t == "meta" and a.get("name") == "viewport" for t, a in reader.tags)
    assert "<title>" in html
    assert "@media print" in html


def test_the_page_escapes_what_it_shows(html):
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "Text &lt;b&gt;two&lt;/b&gt;" in html
    assert "ValueError: &lt;bad&gt;" in html
    assert html.count('aria-label="Seed 7 &amp; &lt;caption&gt;."') == 1
    assert html.count("<svg") == 3


def test_statements_come_first(html):
    assert html.index("All statements") < html.index("All claims")
    bodies = re.findall("<tbody>(.*?)</tbody>", html, re.DOTALL)[: len(SOURCES)]
    rows = [row for body in bodies for row in re.findall('<tr id="(.*?)">', body)]
    assert rows == [one.name for one in statements()]
    header = re.sub(r"<[^>]*>|\s+", " ", html[html.index("<header>") : html.index("</header>")])
    for verdict, number in tally(statements()).items():
        assert re.search(rf"{verdict} +{number} ", header)


def test_claims_are_sorted_and_have_their_command(html):
    html = html[html.index("All claims") :]
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    assert re.findall(r"Place \d", body) == ["Place 2", "Place 3", "Place 1", "Place 4"]
    assert body.count("liftless reproduce drawn-one --size smoke --seed 7") == 4
    assert html.index("<tbody>") < html.index("<svg")
    totals = re.sub(r"<[^>]*>|\s+", " ", html[html.index("totals") : html.index("<tbody>")])
    assert re.search(r"fails +1 .*holds with change +1 .*holds +2 ", totals)
    assert re.search(r" 0 +of 0 reference numbers met", totals)


def test_the_page_names_the_paper(html):
    assert PAPERS["sod"].text in html
    assert counts(CLAIMS) == {FAILS: 1, CHANGED: 1, HOLDS: 2}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (math.nan, "–"),
        (-math.inf, "−∞"),
        (True, "yes"),
        (12, "12"),
        (1.23456789, "1.23457"),
        (-0.5, "−0.5"),
        ([1.0, 2], "1, 2"),
        ("x", "x"),
    ],
)
def test_values_as_people_read_them(value, shown):
    assert show(value) == shown


# -- files -----------------------------------------------------------------------------------------


def test_files_of_a_run_and_what_reads_back(done, tmp_path):
    written = write_run(done, tmp_path / "drawn-one")
    assert sorted(written) == sorted(p.name for p in (tmp_path / "drawn-one").iterdir())
    with (tmp_path / "drawn-one" / "lines.csv").open(newline="", encoding="utf-8") as handle:
        read = list(csv.DictReader(handle))
    expected = [row for row in ROWS if row["table"] == "lines"]
    assert [{"table": "lines", **row} for row in read] == [
        {k: v if isinstance(v, str) else repr(v) for k, v in row.items()} for row in expected
    ]
    with (tmp_path / "drawn-one" / "areas.csv").open(newline="", encoding="utf-8") as handle:
        areas = list(csv.DictReader(handle))
    assert [float(row["high"]) for row in areas] == [50.0, INFINITE, 7.0]
    assert math.isnan(float(areas[2]["low"]))
    with (tmp_path / "drawn-one" / "bars.csv").open(newline="", encoding="utf-8") as handle:
        assert [row["v"] for row in csv.DictReader(handle)] == ["1.0", "", "3.0"]
    record = json.loads((tmp_path / "drawn-one" / "claims.json").read_text("utf-8"))
    assert record["command"].endswith("--seed 7")
    assert [claim["verdict"] for claim in record["claims"]] == [c.verdict for c in CLAIMS]
    assert record["claims"][1]["measured"] is None
    assert "rows" not in record


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("M* and γ = 1e-15, log₁₀ h, ipgd_fig", "M* and γ = 1e-15, log₁₀ h, ipgd_fig"),
        ("‖E‖_F²/r_2", r"‖E$\Vert _{F}^{2}$/$r_{2}$"),
        ("η λ_max, u_n q_rᵀ", r"η $λ_{\mathrm{max}}$, $u_{n}$ $q_{r}^{\top}$"),
        ("change over rho^2, H_1^1", r"change over $ρ^{2}$, $H_{1}^{1}$"),
        ("$c^2$ of rho", "$c^2$ of rho"),
    ],
)
def test_indices_and_powers_are_set(text, shown):
    assert typeset(text) == shown


def test_a_line_below_another_is_known():
    """Whatever it is drawn with; apart by a tenth of the panel it is seen."""
    at = range(11)
    rows = {name: [{"x": x, "y": x + up} for x in at] for name, up in (("a", 0), ("b", 2))}
    rows["between"] = [{"x": x + 0.5, "y": x + 0.5} for x in at]
    series = [(Layer("t", "x", "y"), rows[name]) for name in ("a", "b", "between", "a")]
    assert covered(series, Panel("", "", "", ())) == [2, 0, 1, 0]
    points = [(Layer("t", "x", "y", "points"), rows["a"]), *series]
    assert covered(points, Panel("", "", "", ()))[0] == 0
