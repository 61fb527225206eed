"""``liftless instance``."""

import json
from typing import Any

import numpy as np

from liftless._version import __version__
from liftless.cli.compilation import enable_cache
from liftless.cli.messages import emit, emit_json, emit_table
from liftless.cli.options import InstanceOptions
from liftless.instances import Instance, make_instance
from liftless.io import ARRAY_SUFFIXES, check_target, plain, save_problem


def run(options: InstanceOptions) -> int:
    """Write a named problem and say what is known about it."""
    check_target("out", options.out, ARRAY_SUFFIXES)
    enable_cache(options.quiet)
    made = make_instance(options.name, **options.parameters)
    save_problem(options.out, made.problem, made.truth, extra=known(made))
    fields = describe_instance(made) | {"file": options.out}
    if options.as_json:
        emit_json(fields)
    elif not options.quiet:
        _report(fields)
    return 0


def known(made: Instance) -> dict[str, np.ndarray]:
    """Arrays for the file: the instance's name and parameters, and its known points."""
    arrays = {
        "instance": np.asarray(made.name),
        "parameters": np.asarray(json.dumps(plain(made.parameters))),
    }
    if made.points:
        width = max(point.X.shape[1] for point in made.points)
        padded = [np.pad(p.X, ((0, 0), (0, width - p.X.shape[1]))) for p in made.points]
        arrays["points"] = np.stack(padded)
        arrays["point_kinds"] = np.array([point.kind for point in made.points])
    return arrays


def describe_instance(made: Instance) -> dict[str, Any]:
    """Return the record of an instance, without its data."""
    problem = made.problem
    return {
        "instance": made.name,
        "description": made.description,
        "reference": made.reference,
        "parameters": made.parameters,
        "seed": made.seed,
        "n": problem.n,
        "m": problem.m,
        "rank": problem.rank,
        "truth": made.truth is not None,
        "points": [{"kind": point.kind, "note": point.note} for point in made.points],
        "version": __version__,
    }


def _report(fields: dict[str, Any]) -> None:
    emit(f"{fields['instance']}: {fields['description']}")
    rows = [
        ("reference", fields["reference"]),
        ("size", f"n {fields['n']}, m {fields['m']}, rank {fields['rank']}"),
        ("seed", "none needed" if fields["seed"] is None else str(fields["seed"])),
        ("truth", "known, in the file" if fields["truth"] else "unknown"),
    ]
    rows += [(f"known {point['kind']} point", point["note"]) for point in fields["points"]]
    emit_table([*rows, ("wrote", fields["file"])])
