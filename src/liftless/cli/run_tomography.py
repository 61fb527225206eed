"""``liftless tomography``."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.cli.compilation import enable_cache
from liftless.cli.heartbeat import Heartbeat
from liftless.cli.imaging_options import TomographyOptions
from liftless.cli.messages import emit_found, emit_json
from liftless.cli.options import rank_of
from liftless.cli.targets import check_targets
from liftless.io import plain
from liftless.io.read import read_arrays, shown
from liftless.io.write import write_arrays
from liftless.tomography import State, fit

#: Arrays that a file may have: those of the data, and a state to compare with.
DATA = ("counts", "settings", "expectations", "paulis", "shots", "errors")
ARRAYS = (*DATA, "truth")
#: How a file of JSON is written.
FORM = '{"XZ": {"01": 17, ...}, ...}, or {"expectations": {"XI": 0.3, ...}, "shots": 1000}'


def run(options: TomographyOptions) -> int:
    """Fit a state, report, and write what was asked for."""
    check_targets(options.file, "the file of the data itself", options.out, options.plot)
    draw = None
    if options.plot:
        from liftless.figures import state_figure as draw
    given, truth = _read(options.file)
    enable_cache(options.quiet)
    with Heartbeat(options.quiet):
        found = fit(
            **given,
            rank=rank_of(options.rank),
            white=False if options.no_white else "auto",
            order=options.order,
            seed=options.seed,
        )
    fields = found.summary()
    if truth is not None:
        fields["fidelity"] = found.fidelity(truth)
    written = []
    if options.out is not None:
        _write(options.out, found, fields)
        written.append(options.out)
    if draw is not None and options.plot is not None:
        draw(found, options.plot)
        written.append(options.plot)
    if options.as_json:
        emit_json(fields | {"files": written})
    else:
        _report(found, fields, written)
    return found.status


def _read(path: str) -> tuple[dict[str, Any], np.ndarray | None]:
    """What :func:`fit` takes, of arrays or of JSON, and the state to compare with."""
    if Path(path).suffix.lower() != ".json":
        arrays, names = read_arrays(path, ARRAYS)
        if "counts" not in arrays and "expectations" not in arrays:
            was = f"missing from {path} (it has {shown(names)})"
            must = "present beside settings, or expectations beside paulis"
            raise InvalidInput("counts", was, must)
        given: dict[str, Any] = {name: arrays[name] for name in DATA if name in arrays}
        for name in {"shots", "errors"} & set(given):
            # A number that a .mat file has made an array of.
            given[name] = given[name].reshape(-1)[0] if given[name].size == 1 else given[name]
        return given, arrays.get("truth")
    file = Path(path)
    if not file.is_file():
        raise InvalidInput(path, "missing", "an existing file", "Check its name.")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(path, f"not readable ({error})", "JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput(path, "no object", f"an object {FORM}")
    if not {"counts", "expectations"} & set(found):
        found = {"counts": found}
    names = ("counts",) if "counts" in found else ("expectations", "shots", "errors")
    given = {name: found[name] for name in names if name in found}
    if not isinstance(given[names[0]], dict):
        raise InvalidInput(names[0], "no object", f"an object {FORM}")
    return given, None


def _write(path: str, found: State, fields: dict[str, Any]) -> None:
    arrays = {"density": found.density, "factor": found.factor}
    for name, value in fields.items():
        text = isinstance(value, (list, dict))
        arrays[name] = np.asarray(json.dumps(plain(value)) if text else value)
    write_arrays(path, arrays)


def _report(found: State, fields: dict[str, Any], written: list[str]) -> None:
    rows = []
    for one in found.tried:
        white = f", white noise {one['white']:.3f}" if one["white"] else ""
        text = f"BIC {one['bic']:.1f}" if "bic" in one else f"χ² {one['chi2']:.3f}"
        rows.append((f"rank {one['rank']}{white}", text))
    if "fidelity" in fields:
        rows.append(("fidelity with truth", f"{fields['fidelity']:.5f}"))
    emit_found(found, written, rows)
