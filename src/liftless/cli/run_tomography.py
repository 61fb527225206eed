"""``liftless tomography``."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.cli.compilation import enable_cache
from liftless.cli.heartbeat import Heartbeat
from liftless.cli.imaging_options import TomographyOptions
from liftless.cli.messages import coloured, emit, emit_json, emit_table
from liftless.cli.options import rank_of
from liftless.cli.targets import check_targets
from liftless.io import plain
from liftless.io.read import read_arrays, shown
from liftless.io.write import write_arrays
from liftless.tomography import State, fit

#: Arrays that a file may have.
ARRAYS = ("counts", "settings", "truth")


def run(options: TomographyOptions) -> int:
    """Fit a state, report, and write what was asked for."""
    check_targets(options.file, "the file of the counts itself", options.out)
    counts, settings, truth = _read(options.file)
    enable_cache(options.quiet)
    with Heartbeat(options.quiet):
        found = fit(
            counts,
            settings,
            rank=rank_of(options.rank),
            white=False if options.no_white else "auto",
            order=options.order,
            seed=options.seed,
        )
    fields = found.summary()
    if truth is not None:
        fields["fidelity"] = found.fidelity(truth)
    if options.out is not None:
        _write(options.out, found, fields)
    if options.as_json:
        emit_json(fields)
    else:
        _report(found, fields, options.out)
    return found.status


def _read(path: str) -> tuple[Any, Any, np.ndarray | None]:
    """Counts and settings of arrays, or a dictionary of JSON; the state to compare with."""
    if Path(path).suffix.lower() != ".json":
        arrays, names = read_arrays(path, ARRAYS)
        if "counts" not in arrays:
            was = f"missing from {path} (it has {shown(names)})"
            raise InvalidInput("counts", was, "present beside settings")
        return arrays["counts"], arrays.get("settings"), arrays.get("truth")
    file = Path(path)
    if not file.is_file():
        raise InvalidInput(path, "missing", "an existing file", "Check its name.")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(path, f"not readable ({error})", "JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput(path, "no object", 'an object {"XZ": {"01": 17, ...}, ...}')
    counts = found.get("counts", found)
    if not isinstance(counts, dict):
        raise InvalidInput("counts", "no object", 'an object {"XZ": {"01": 17, ...}, ...}')
    return counts, None, None


def _write(path: str, found: State, fields: dict[str, Any]) -> None:
    arrays = {"density": found.density, "factor": found.factor}
    for name, value in fields.items():
        text = isinstance(value, (list, dict))
        arrays[name] = np.asarray(json.dumps(plain(value)) if text else value)
    write_arrays(path, arrays)


def _report(found: State, fields: dict[str, Any], out: str | None) -> None:
    emit(coloured(found.message, found.status))
    rows = [row for row in found.rows() if row[0] != "message"]
    for one in found.tried:
        white = f", white noise {one['white']:.3f}" if one["white"] else ""
        rows.append((f"rank {one['rank']}{white}", f"BIC {one['bic']:.1f}"))
    if "fidelity" in fields:
        rows.append(("fidelity with truth", f"{fields['fidelity']:.5f}"))
    emit_table(rows + ([("wrote", out)] if out else []))
