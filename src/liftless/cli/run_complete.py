"""``liftless complete``."""

from collections.abc import Callable
from typing import Any

from liftless._errors import InvalidInput
from liftless._show import told
from liftless.cli.compilation import enable_cache
from liftless.cli.heartbeat import Heartbeat
from liftless.cli.messages import coloured, emit, emit_json, emit_table
from liftless.cli.options import CompleteOptions, rank_of, sides
from liftless.io import FIGURE_SUFFIXES
from liftless.io.hdf5 import library
from liftless.io.write import check_target
from liftless.tables import CompletedTable, complete
from liftless.tables.files import WRITTEN, read_table, write_completed
from liftless.tables.formats import parquet
from liftless.tables.view import TableView


def run(options: CompleteOptions) -> int:
    """Complete a table, report, and write what was asked for."""
    draw = _checked_files(options)
    if options.symmetric and options.rectangular:
        raise InvalidInput("symmetric", "given beside rectangular", "one of the two")
    table = read_table(
        options.file,
        row=options.row,
        col=options.col,
        value=options.value,
        separator=options.separator,
        decimal=options.decimal,
        symmetric=True if options.symmetric else False if options.rectangular else None,
        shape=sides(options.shape),
        one_based=options.one_based,
    )
    enable_cache(options.quiet)
    with Heartbeat(options.quiet) as heartbeat:
        done = complete(
            table,
            rank_of(options.rank),
            additive=False if options.no_effects else None,
            folds=options.folds,
            max_rank=options.max_rank,
            robust=options.robust,
            seed=options.seed,
            callback=heartbeat.tell,
        )
    written = []
    view = TableView.of(done) if options.out or options.plot else None
    if options.out is not None and view is not None:
        write_completed(options.out, view, hdf5=options.mat73)
        written.append(options.out)
    if options.plot is not None and draw is not None:
        draw(view, options.plot)
        written.append(options.plot)
    if options.as_json:
        emit_json(summary(done))
    else:
        _report(done, written)
    return 0


def _checked_files(options: CompleteOptions) -> Callable[..., None] | None:
    """Check what is to be written before anything is computed; the function that draws."""
    if options.out is not None:
        check_target("out", options.out, WRITTEN)
        if options.out.lower().endswith(".parquet"):
            parquet()
    if options.mat73:
        if options.out is None or not options.out.lower().endswith(".mat"):
            raise InvalidInput("mat73", "given without a .mat file", "given with --out FILE.mat")
        library()
    if options.plot is None:
        return None
    check_target("plot", options.plot, FIGURE_SUFFIXES)
    from liftless.figures import save_figure, table_figure

    return lambda view, path: save_figure(table_figure(view), path)


def summary(done: CompletedTable) -> dict[str, Any]:
    """What was found, as numbers and words."""
    tried = [{"rank": one.rank, "effects": one.additive, "error": one.error, "spread": one.spread}
             for one in done.tried]  # fmt: skip
    unknown = [] if done.model.low is None else done.model.low.unknown
    return {
        "kind": done.kind,
        "rank": done.rank,
        "effects": done.additive,
        "sigma": done.sigma,
        "held_out_error": done.error,
        "scale": done.scale,
        "symmetric": done.table.symmetric,
        "shape": list(done.table.shape),
        "entries": int(done.table.y.size),
        "undetermined_lines": len(unknown),
        "tried": tried,
        "seed": done.seed,
        "message": done.message,
    }


def _report(done: CompletedTable, written: list[str]) -> None:
    emit(coloured(done.message, 0))
    # The last row is the message.
    emit_table(told(done)[:-1] + [("written", path) for path in written])
