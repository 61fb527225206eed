"""``liftless locate``."""

from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.cli.heartbeat import Heartbeat
from liftless.cli.messages import emit_found, emit_json
from liftless.cli.network_options import LocateOptions
from liftless.cli.targets import check_targets
from liftless.distances import Location, locate
from liftless.distances.data import AXES
from liftless.distances.files import read_anchors, read_distances
from liftless.io import ARRAY_SUFFIXES
from liftless.io.write import write_arrays, write_csv


def run(options: LocateOptions) -> int:
    """Locate, report, and write what was asked for."""
    suffixes = (".csv", *ARRAY_SUFFIXES)
    what = "the file of the distances itself"
    check_targets(options.file, what, options.out, options.plot, suffixes=suffixes)
    if options.plot is not None:
        from liftless.figures import save_figure  # noqa: F401  (told before anything is computed)
    given = read_distances(options.file)
    if options.std is not None:
        if "std" in given:
            raise InvalidInput("std", "given beside a column std", "in one of the two places")
        given["std"] = options.std
    if options.anchors is not None:
        words = given["pairs"].dtype.kind == "U"
        given["anchors"] = read_anchors(options.anchors, options.dim, words)
    if options.rounds is not None:
        given["rounds"] = options.rounds
    with Heartbeat(options.quiet):
        found = locate(dim=options.dim, noise=options.noise, seed=options.seed, **given)
    written = _write(options, found)
    if options.as_json:
        emit_json(found.summary() | {"files": written})
    else:
        emit_found(found, written)
    return found.status


def _write(options: LocateOptions, found: Location) -> list[str]:
    """Write the files asked for, and return their names."""
    written = []
    if options.out is not None:
        if options.out.lower().endswith(".csv"):
            write_csv(options.out, _heading(found), _lines(found))
        else:
            write_arrays(options.out, _arrays(found))
        written.append(options.out)
    if options.plot is not None:
        found.plot(options.plot)
        written.append(options.plot)
    return written


def _heading(found: Location) -> list[str]:
    axes = AXES[: found.points.shape[1]]
    return ["point", *axes, *(f"std_{a}" for a in axes), "determined", "flexible", "certain"]


def _lines(found: Location) -> list[list[Any]]:
    return [
        [name, *place, *spread, int(known), int(moves), int(sure)]
        for name, place, spread, known, moves, sure in zip(
            found.names.tolist(),
            found.points.tolist(),
            found.sigma.tolist(),
            found.determined,
            found.flexible,
            found.certain,
            strict=True,
        )
    ]


def _arrays(found: Location) -> dict[str, np.ndarray]:
    names = ("names", "points", "sigma", "determined", "flexible", "certain", "pairs", "residuals")
    words = ("kind", "message", "noise", "chi2", "pvalue", "steps", "rounds", "seed", "seconds")
    return {name: np.asarray(getattr(found, name)) for name in (*names, "anchors", *words)}
