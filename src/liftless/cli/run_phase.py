"""``liftless phase``."""

from typing import Any

import numpy as np

from liftless._checks import as_text
from liftless._ends import INTERRUPTED, Interrupt
from liftless._errors import InvalidInput
from liftless.cli.compilation import enable_cache
from liftless.cli.heartbeat import Heartbeat
from liftless.cli.imaging_options import PhaseOptions
from liftless.cli.messages import emit_found, emit_json, note
from liftless.cli.targets import check_targets
from liftless.io.read import read_arrays, shown
from liftless.io.write import write_arrays
from liftless.phase import Retrieval, retrieve

#: Arrays that a file may have.
PLAIN = ("masks", "support", "probe", "positions", "shape", "known")
ARRAYS = ("intensities", *PLAIN, "real", "noise", "norm", "truth")


def run(options: PhaseOptions) -> int:
    """Retrieve an image, report, and write what was asked for."""
    check_targets(options.file, "the file of the readings itself", options.out, options.plot)
    draw = None
    if options.plot:
        from liftless.figures import retrieval_figure as draw
    arrays, names = read_arrays(options.file, ARRAYS)
    if "intensities" not in arrays:
        was = f"missing from {options.file} (it has {shown(names)})"
        raise InvalidInput("intensities", was, "present")
    given = _arguments(options, arrays)
    enable_cache(options.quiet)
    with Interrupt() as interrupt:
        with Heartbeat(options.quiet) as heartbeat:

            def progress(event: dict) -> None:
                heartbeat.tell(event)
                if interrupt.asked:
                    raise StopIteration

            found = retrieve(arrays["intensities"], callback=progress, **given)
        stopped = interrupt.asked
    written = _write(options, found, draw)
    fields = found.summary()
    if "truth" in arrays and arrays["truth"].shape == found.image.shape:
        fields["distance"] = found.distance(arrays["truth"])
    if options.as_json:
        emit_json(fields | {"files": written})
    else:
        far = [("distance to truth", f"{fields['distance']:.3g}")] if "distance" in fields else []
        emit_found(found, written, far)
    if stopped and not found.success:
        note("interrupted; the best image so far is told")
        return INTERRUPTED
    return found.status


def _arguments(options: PhaseOptions, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """What the file and the command line say, the latter first."""
    given: dict[str, Any] = {name: arrays.get(name) for name in PLAIN}
    flag = arrays.get("real")
    if flag is not None and (flag.size != 1 or flag.ravel()[0] not in (0, 1)):
        raise InvalidInput("real", "in the file neither 0 nor 1", "0 or 1")
    given["real"] = options.real or (flag is not None and bool(flag.ravel()[0]))
    given["noise"] = _noise(options.noise, arrays.get("noise"))
    given["norm"] = options.norm or _text(arrays.get("norm")) or "ortho"
    given["seed"], given["precision"] = options.seed, options.precision
    if options.budget is not None:
        given["budget"] = options.budget
    return given


def _noise(word: str | None, stored: np.ndarray | None) -> Any:
    if word is not None:
        try:
            return float(word)
        except ValueError:
            return word
    text = _text(stored)
    if text is not None or stored is None:
        return text
    return float(stored.ravel()[0]) if stored.size == 1 else stored


def _text(array: np.ndarray | None) -> str | None:
    """The word that an array is, if it is one."""
    if array is None or array.size != 1 or array.dtype.kind not in "US":
        return None
    return as_text(array.ravel()[0])


def _write(options: PhaseOptions, found: Retrieval, draw: Any) -> list[str]:
    """Write the files asked for, and return their names."""
    written = []
    if options.out is not None:
        fields = {name: np.asarray(value) for name, value in found.summary().items()}
        write_arrays(options.out, {"image": found.image, "start": found.start} | fields)
        written.append(options.out)
    if options.plot is not None:
        draw(found, options.plot)
        written.append(options.plot)
    return written
