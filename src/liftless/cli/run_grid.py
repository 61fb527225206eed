"""``liftless grid``."""

from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput, needing
from liftless.cli.heartbeat import Heartbeat
from liftless.cli.messages import emit_found, emit_json
from liftless.cli.network_options import GridOptions
from liftless.cli.targets import check_targets
from liftless.grid import (
    Estimate,
    Grid,
    Measurements,
    estimate,
    from_matpower,
    from_pandapower,
    pandapower_measurements,
)
from liftless.io import ARRAY_SUFFIXES
from liftless.io.columns import number, read_columns
from liftless.io.write import write_arrays, write_csv


def run(options: GridOptions) -> int:
    """Estimate, report, and write what was asked for."""
    suffixes = (".csv", *ARRAY_SUFFIXES)
    sources = [(options.case, "the case")]
    if options.measurements is not None:
        sources.append((options.measurements, "the measurements"))
    for source, what in sources:
        check_targets(source, what, options.out, options.plot, suffixes=suffixes)
    if options.plot is not None:
        from liftless.figures import save_figure  # noqa: F401  (told before anything is computed)
    idle = _idle(options.idle)
    grid, readings = _read(options.case, options.measurements)
    start = "flat" if options.start is None else _start(options.start, grid)
    with Heartbeat(options.quiet):
        found = estimate(
            grid,
            readings,
            start=start,
            bad_data=options.bad_data,
            idle=idle,
            seed=options.seed,
        )
    written = _write(options, found)
    if options.as_json:
        emit_json(found.summary() | {"files": written})
    else:
        emit_found(found, written)
    return found.status


def _idle(word: str) -> float | str | None:
    if word in ("exact", "none"):
        return word if word == "exact" else None
    try:
        return float(word)
    except ValueError:
        must = "exact, none, or a standard deviation per unit"
        raise InvalidInput("idle", repr(word), must) from None


def _read(path: str, measurements: str | None) -> tuple[Grid, Measurements]:
    """MATPOWER's text or pandapower's JSON, and readings of a file or of the latter."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".m", ".json"):
        raise InvalidInput("case", repr(path), "a MATPOWER .m or a pandapower .json file")
    if suffix == ".m":
        if measurements is None:
            raise InvalidInput("measurements", "left out", "a file (a .m case carries none)")
        return from_matpower(path), Measurements.read(measurements)
    if not Path(path).is_file():
        raise InvalidInput("case", f"{path!r}, which is missing", "an existing file")
    with needing("pandapower", "grid", "installed to read its networks"):
        import pandapower  # pyright: ignore[reportMissingImports]
    try:
        net = pandapower.from_json(path)
        grid = from_pandapower(net)
    # A file of something else has none of a network's attributes.
    except (ValueError, KeyError, UserWarning, AttributeError, TypeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("case", f"{path!r} ({error})", "a network of pandapower") from None
    if measurements is not None:
        return grid, Measurements.read(measurements)
    return grid, pandapower_measurements(net, grid)


def _start(path: str, grid: Grid) -> np.ndarray:
    """Voltages by bus; those that the file leaves out are flat."""
    v = grid.flat().astype(complex)
    for k, cells in read_columns(path, ("bus", "vm", "va"), 3):
        size, angle = (number(path, k, "a voltage", cell) for cell in cells[1:])
        v[grid.bus(cells[0])] = size * np.exp(1j * np.deg2rad(angle))
    return v


def _write(options: GridOptions, found: Estimate) -> list[str]:
    """Write the files asked for, and return their names."""
    written = []
    if options.out is not None:
        table = found.table()
        if options.out.lower().endswith(".csv"):
            columns = [column.tolist() for column in table.values()]
            lines: list[list[Any]] = [
                [int(x) if isinstance(x, bool) else x for x in line]
                for line in zip(*columns, strict=True)
            ]
            write_csv(options.out, list(table), lines)
        else:
            write_arrays(options.out, _arrays(found, table))
        written.append(options.out)
    if options.plot is not None:
        found.plot(options.plot)
        written.append(options.plot)
    return written


def _arrays(found: Estimate, table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = ("voltage", "residuals", "normalised", "critical")
    more = ("kind", "message", "chi2", "pvalue", "dof", "steps", "seed", "seconds")
    arrays = {name: np.asarray(getattr(found, name)) for name in names + more}
    readings = {
        f"reading_{name}": getattr(found.readings, name)
        for name in ("kind", "element", "side", "value", "std")
    }
    return table | arrays | readings
