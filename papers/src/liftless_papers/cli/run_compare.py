"""``liftless compare``.

Nothing heavy is imported here: the threads are limited first.
"""

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liftless._ends import INTERRUPTED, Interrupt
from liftless.cli.messages import (
    FAILED,
    complain,
    emit,
    emit_json,
    emit_table,
    note,
)
from liftless.schedule import Scheduler, WorkerLost, one_thread
from liftless_papers.cli.options import CompareOptions

if TYPE_CHECKING:
    from liftless_papers.compare.cells import Cell
    from liftless_papers.compare.plan import Plan
    from liftless_papers.compare.rows import Row
    from liftless_papers.compare.store import Store
    from liftless_papers.report.compare import Comparison

#: Trials a cell by size, when their number is not given.
TRIALS = {"smoke": 5, "paper": 40}
#: Seconds between two lines of progress.
PROGRESS = 5.0
#: File of the rows in the folder.
ROWS = "rows.sqlite"


def run(options: CompareOptions) -> int:
    """Run what is missing, sum up, and write what was asked for."""
    with one_thread():
        return _list(options) if options.listed else _compare(options)


def _cells(options: CompareOptions) -> "list[Cell]":
    from liftless._errors import InvalidInput
    from liftless.cli.names import nearest
    from liftless_papers.compare.cells import cells_at, choose_cells

    if options.size not in TRIALS:
        must = f"one of {', '.join(TRIALS)}"
        raise InvalidInput("size", repr(options.size), must, nearest(options.size, TRIALS))
    families, filters = (_words(text) for text in (options.families, options.cells))
    return choose_cells(families, filters, options.size, cells_at(options.n).values())


def _words(text: str | None) -> list[str] | None:
    """Split names at commas; None where nothing is left."""
    return [word.strip() for word in (text or "").split(",") if word.strip()] or None


def _list(options: CompareOptions) -> int:
    """Print the cells that the options choose, and the methods."""
    from liftless_papers.compare.plan import METHODS

    cells = _cells(options)
    methods = {name: peer.title for name, peer in METHODS.items()}
    if options.as_json:
        listed = [
            {"name": c.name, "family": c.family, "groups": list(c.groups), "n": c.n} for c in cells
        ]
        emit_json({"cells": listed, "methods": methods})
        return 0
    emit("cells:")
    emit_table([(cell.name, ", ".join(cell.groups)) for cell in cells])
    emit("methods:")
    emit_table(list(methods.items()))
    return 0


def _compare(options: CompareOptions) -> int:
    from liftless.cli.compilation import enable_cache
    from liftless_papers.cli.run_reproduce import report_folder
    from liftless_papers.compare.plan import KEY, METHODS, choose_methods, plan, settings
    from liftless_papers.compare.store import Store
    from liftless_papers.compare.trials import KINDS

    cells = _cells(options)
    methods, absent = choose_methods(METHODS, _words(options.methods))
    trials = TRIALS[options.size] if options.trials is None else options.trials
    named = options.methods is not None
    wanted = plan(cells, methods, trials, options.seed, options.budget, named=named)
    scheduler = Scheduler.of(options.scheduler, options.jobs)
    skipped = [*absent, *wanted.skipped]
    folder = report_folder(options.out)
    _check_export(options)
    scheduler.reach()
    if not options.quiet:
        _tell_skipped(skipped)
    enable_cache(options.quiet)
    if folder is None:
        rows, why = _run(wanted, options, scheduler, None)
    else:
        made = not folder.exists()
        folder.mkdir(exist_ok=True)
        try:
            chosen = settings(options.seed, options.budget)
            with Store(folder / ROWS, chosen, KINDS, key=KEY) as store:
                rows, why = _run(wanted, options, scheduler, store)
                _tell_codes(store, options.quiet)
        finally:
            if made and not any(folder.iterdir()):
                folder.rmdir()
    done = _comparison(options, cells, methods, trials, rows, skipped)
    _report(done, options, folder)
    if options.export is not None and folder is not None:
        _export(options.export, folder / ROWS, options.as_json)
    if why is None:
        return 0
    go_on = "; the same command goes on" if folder is not None else ""
    text = f"{len(rows)} of {len(wanted.trials)} trials are done{go_on}"
    if isinstance(why, KeyboardInterrupt):
        note(f"interrupted; {text}")
        return INTERRUPTED
    complain(f"{_words_of(why)}; {text}")
    return FAILED


def _check_export(options: CompareOptions) -> None:
    """Check the file to export to before anything is run."""
    if options.export is None:
        return
    from liftless._errors import InvalidInput
    from liftless.io import check_target
    from liftless_papers.compare.rows import EXPORTS, parquet_ready

    if options.out is None:
        raise InvalidInput("export", "given without --out", "given with a folder of rows")
    # A folder that is still to be made is made with the store.
    if Path(options.export).parent.resolve() != Path(options.out).resolve():
        check_target("export", options.export, EXPORTS)
    elif Path(options.export).suffix.lower() not in EXPORTS:
        must = f"a file name in one of {', '.join(EXPORTS)}"
        raise InvalidInput("export", repr(options.export), must)
    if options.export.lower().endswith(".parquet"):
        parquet_ready()


def _export(target: str, store: Path, as_json: bool) -> None:
    from liftless_papers.compare.rows import export_rows
    from liftless_papers.compare.store import read_store

    _, rows, origins = read_store(store)
    export_rows(target, rows, origins)
    if not as_json:
        emit(f"wrote {target}")
        sys.stdout.flush()


def _tell_codes(store: "Store", quiet: bool) -> None:
    """Say where rows of one folder come from different states of the code."""
    if len(store.origins) > 1 and not quiet:
        text = f"note: the rows come from {len(store.origins)} states of the code and its packages"
        note(f"{text}; --export has them beside each row")


def _words_of(error: BaseException) -> str:
    """Return what ended the trials, with the name of the file if there is one."""
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror or error}"
    return str(error)


def _tell_skipped(skipped: "list[Row]") -> None:
    """One line a reason and set of cells for the methods that are left out somewhere."""
    told: dict[tuple[str, int], list[str]] = {}
    for method in dict.fromkeys(row["method"] for row in skipped):
        where = [row for row in skipped if row["method"] == method]
        count = 0 if where[0]["cell"] is None else len(where)
        told.setdefault((where[0]["reason"], count), []).append(method)
    for (reason, count), methods in told.items():
        names = f"{', '.join(methods)} {'is' if len(methods) == 1 else 'are'} left out"
        if count == 0:
            note(f"note: {names}: {reason}")
        else:
            note(f"note: {names} in {count} cell(s), the first by {reason}")


def _run(
    wanted: "Plan", options: CompareOptions, scheduler: Scheduler, store: "Store | None"
) -> "tuple[list[Row], BaseException | None]":
    """Run what is missing; all rows of the plan, and what ended it before its end."""
    from functools import partial

    from liftless.cli.compilation import enable_cache
    from liftless_papers.compare.plan import chosen_rows, run_plan

    rows: list[Row] = [] if store is None else list(store.rows)
    before = len(chosen_rows(wanted, rows))
    if before and not options.quiet:
        note(f"{before} of {len(wanted.trials)} trials were done before")
    progress = _Progress(len(wanted.trials), before, options.quiet)
    why: BaseException | None = None
    with Interrupt("the trials that are running") as interrupt:

        def keep(row: "Row", origin: "Row") -> None:
            if store is not None and not store.append(row, origin):
                return
            rows.append(row)
            progress.tell(row)

        try:
            run_plan(
                wanted,
                list(rows),
                keep,
                scheduler=scheduler,
                setup=partial(enable_cache, True),
                asked=lambda: interrupt.asked,
                on_workers=progress.count,
            )
        except (WorkerLost, OSError) as error:  # what there is by now is shown all the same
            why = error
    found = chosen_rows(wanted, rows)
    if why is None and interrupt.asked and len(found) < len(wanted.trials):
        why = KeyboardInterrupt()
    return found, why


class _Progress:
    """A line now and then on standard error."""

    def __init__(self, total: int, done: int, quiet: bool) -> None:
        self.total, self.done, self.quiet = total, done, quiet
        self.last = -math.inf
        self.workers = 1

    def count(self, workers: int) -> None:
        """Say how many workers there are, where that is not one."""
        if not self.quiet and workers != self.workers:
            note(f"{workers} workers" if workers else "no worker yet; the trials wait for one")
        self.workers = workers

    def tell(self, row: "Row") -> None:
        """Count a row, and say so if nothing was said for a while."""
        self.done += 1
        now = time.monotonic()
        if self.quiet or (now - self.last < PROGRESS and self.done < self.total):
            return
        self.last = now
        beside = f" on {self.workers} workers" if self.workers > 1 else ""
        note(f"{self.done} of {self.total} trials{beside}: {row['cell']}, {row['method']}")


def _comparison(
    options: CompareOptions,
    cells: "list[Cell]",
    methods: dict[str, Any],
    trials: int,
    rows: "list[Row]",
    skipped: "list[Row]",
) -> "Comparison":
    from liftless_papers.compare.plan import settings
    from liftless_papers.report.compare import Comparison

    chosen = settings(options.seed, options.budget) | {"trials": trials, "size": options.size}
    return Comparison(
        command=_command(options),
        settings=chosen,
        cells=tuple(cells),
        titles={name: peer.title for name, peer in methods.items()},
        rows=tuple(rows),
        skipped=tuple(skipped),
    )


def _command(options: CompareOptions) -> str:
    """Command line that repeats the run, wherever it may write."""
    from liftless_papers.compare.cells import ORDER

    words = ["liftless compare"]
    for name in ("families", "methods", "cells"):
        if (value := getattr(options, name)) is not None:
            words.append(f"--{name} '{value}'" if " " in value else f"--{name} {value}")
    words.append(f"--size {options.size}")
    if options.n != ORDER:
        words.append(f"--n {options.n}")
    if options.trials is not None:
        words.append(f"--trials {options.trials}")
    return " ".join([*words, f"--seed {options.seed} --budget {options.budget}"])


def _report(done: "Comparison", options: CompareOptions, folder: Path | None) -> None:
    """Print the table or the JSON, and write the page if there is anything to show."""
    if folder is not None and done.rows:
        from liftless_papers.report.compare import write_comparison

        write_comparison(done, folder)
    if options.as_json:
        path = None if folder is None else str(folder / ROWS)
        emit_json(done.record() | {"rows": path})
    else:
        _print_cells(done)
        if folder is not None and done.rows:
            emit(f"wrote {folder / 'index.html'}")
    sys.stdout.flush()


def _print_cells(done: "Comparison") -> None:
    """One block a cell: a line a method."""
    from liftless_papers.report.compare import number

    width = max((len(name) for name in done.titles), default=0)
    cell = None
    for row in done.tables["summary"]:
        if row["cell"] != cell:
            cell = row["cell"]
            beside = f", {row['apart']} not identifiable" if row["apart"] else ""
            emit(f"{cell} ({row['trials']} trials{beside})")
        rate = f"{number(row['success'])} [{row['success_low']:.2f}, {row['success_high']:.2f}]"
        cost = f"{number(row['mean_applications'])} applications"
        time_ = f"{number(row['mean_seconds'])} s"
        standing = row["standing"] or ""
        emit(f"  {row['method']:<{width}}  {standing:<5}  {rate:<18}  {cost:<18}  {time_}")
    easy = [row["cell"] for row in done.tables["easy"] if row["easy"]]
    if easy:
        emit(f"easy (the spectral start alone solves it): {', '.join(easy)}")
