"""``liftless complete``."""

from typing import Any

from liftless._checks import positive_int
from liftless._errors import InvalidInput
from liftless.cli.compilation import enable_cache
from liftless.cli.heartbeat import Heartbeat
from liftless.cli.messages import coloured, emit, emit_json, emit_table
from liftless.cli.options import CompleteOptions
from liftless.io.write import check_target
from liftless.tables import CompletedTable, complete
from liftless.tables.files import WRITTEN, read_table, write_completed


def run(options: CompleteOptions) -> int:
    """Complete a table, report, and write what was asked for."""
    if options.out is not None:
        check_target("out", options.out, WRITTEN)
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
    )
    enable_cache(options.quiet)
    with Heartbeat(options.quiet) as heartbeat:

        def progress(event: dict) -> None:
            if event["event"] == "held out":
                beside = " beside effects" if event["additive"] else ""
                heartbeat.say(f"rank {event['rank']}{beside}: held-out error {event['error']:.4g}")

        done = complete(
            table,
            _rank(options.rank),
            additive=False if options.no_effects else None,
            folds=options.folds,
            max_rank=options.max_rank,
            robust=options.robust,
            seed=options.seed,
            callback=progress,
        )
    if options.out is not None:
        write_completed(options.out, done)
    if options.as_json:
        emit_json(summary(done))
    else:
        _report(done, options.out)
    return 0


def _rank(text: str) -> int | str:
    if text == "auto":
        return text
    if not text.isdigit():
        raise InvalidInput("rank", repr(text), "a whole number or 'auto'")
    return positive_int("rank", int(text), least=0)


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


def _report(done: CompletedTable, out: str | None) -> None:
    emit(coloured(done.message, 0))
    shape = " × ".join(map(str, done.table.shape))
    form = "symmetric" if done.table.symmetric else "rectangular"
    rows = [
        ("table", f"{shape}, {form}, {done.table.y.size} entries"),
        ("rank", f"{done.rank}" + (" beside mean and effects" if done.additive else "")),
        ("noise", "none: every entry is fitted" if done.kind == "exact" else f"{done.sigma:.4g}"),
    ]
    for one in done.tried:
        beside = ", effects" if one.additive else ""
        rows.append(
            (f"rank {one.rank}{beside}", f"held-out error {one.error:.4g} ± {one.spread:.2g}")
        )
    if out is not None:
        rows.append(("written", out))
    emit_table(rows)
