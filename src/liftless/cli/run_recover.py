"""``liftless recover``."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from liftless._checks import positive_int, real_number
from liftless._ends import INTERRUPTED, Interrupt
from liftless._errors import InvalidInput
from liftless._precision import precision_of
from liftless.cli.compilation import enable_cache
from liftless.cli.heartbeat import Heartbeat
from liftless.cli.messages import (
    coloured,
    emit,
    emit_json,
    emit_table,
    lambda_row,
    note,
)
from liftless.cli.names import nearest
from liftless.cli.options import RecoverOptions, sides
from liftless.cli.processes import Share, check_processes, over_processes
from liftless.cli.targets import check_targets
from liftless.escape import Escape, MultiStepEscape
from liftless.io import (
    LoadedProblem,
    atomic_write,
    load_factor,
    load_problem,
    result_fields,
    save_result,
)
from liftless.io.hdf5 import library
from liftless.problem import Problem
from liftless.recovery import ESCAPES, STARTS, Recovery
from liftless.recovery import recover as recover_problem
from liftless.recovery.loop import BUDGET
from liftless.space import Space

#: What the options of the multi-step escape are called in its constructor.
MULTI = {"order": "order", "size": "rho", "step": "eta", "steps": "steps"}


def run(options: RecoverOptions, share: Share | None = None) -> int:
    """Recover, report, and write what was asked for.

    ``share`` is this process's of several; without one, and with more than one process asked for,
    they are started.
    """
    positive_int("processes", options.processes)
    check_targets(options.file, "the problem file itself", options.out, options.plot)
    _check_mat73(options)
    escape = escape_rule(options.escape, options.multi)
    for name in ("noise", "trace_bound"):
        value = getattr(options, name)
        if value is not None:
            real_number(name, value, least=0.0)
    precision_of(options.precision)
    draw = None
    if options.plot:
        from liftless.figures import recovery_figure as draw
    loaded = load_problem(
        options.file,
        options.rank,
        shape=sides(options.shape),
        rectangular=options.rectangular or None,
        index_base=options.index_base,
    )
    start = _start(options.start, loaded.problem.space)
    if options.processes != 1 and share is None:
        check_processes(options, loaded.problem)
        return over_processes(options)
    problem = loaded.problem if share is None else share.part(loaded.problem)
    enable_cache(options.quiet)
    with Interrupt() as interrupt:
        recovery = _recover(options, problem, start, escape, interrupt, share)
        fields = result_fields(problem, recovery, loaded.truth)
        if share is not None and share.number:
            return recovery.status
        written: list[str] = []
        try:
            _write(options, loaded, recovery, fields, draw, written)
        finally:
            # What was found is told even where a file could not be written.
            if options.as_json:
                emit_json(fields | {"problem": loaded.kind, "files": written})
            else:
                report(fields, loaded, written)
    if recovery.status == INTERRUPTED:
        note(f"interrupted; {_kept(options, written)}")
    return recovery.status


def _check_mat73(options: RecoverOptions) -> None:
    if not options.mat73:
        return
    if options.out is None or not options.out.lower().endswith(".mat"):
        raise InvalidInput("mat73", "given without a .mat file", "given with --out FILE.mat")
    library()


def _kept(options: RecoverOptions, written: list[str]) -> str:
    """Say what is left of an interrupted run."""
    if options.out is None:
        return "--out would keep the factor"
    if options.out not in written:
        return f"no point was found yet, so {options.out} is not written"
    return f"go on with --start {options.out}"


def _determined(fields: dict[str, Any]) -> str:
    """Say whether the measurements leave other matrices near an exact fit."""
    if fields["determined"] is None:
        return "not looked into"
    if fields["jacobian_rank"] is None:
        return fields["determined"]
    numbers = f"Jacobian rank {fields['jacobian_rank']} of {fields['degrees_of_freedom']}"
    return f"{fields['determined']} ({numbers})"


def _noise(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """Noise that explains the misfit, and the error of the matrix, where they are known."""
    rows = []
    if fields["kind"] != "exact" and math.isfinite(fields["sigma"]):
        low, high = fields["sigma_interval"]
        text = f"σ = {fields['sigma']:.4g} (95 %: {low:.4g} to {high:.4g}) explains h"
        rows.append(("noise", text))
    if math.isfinite(fields["error_estimate"]):
        rows.append(("error estimate", f"{fields['error_estimate']:.2g} of the matrix, at most"))
    return rows


def _told(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """The rank that belief propagation saw in the entries, where it is lower."""
    rank = fields["rank_shown"]
    if rank is None or rank >= fields["rank"]:
        return []
    return [("rank shown", f"{rank}: pass --rank {rank} to have no more")]


def escape_rule(name: str, multi: dict[str, Any]) -> Escape | None:
    """Build the escape of that name; ``multi`` has the options of the multi-step one."""
    if name not in ESCAPES and name != "none":
        names = [*ESCAPES, "none"]
        raise InvalidInput("escape", repr(name), f"one of {', '.join(names)}", nearest(name, names))
    if multi and name != "multi":
        first, value = next(iter(multi.items()))
        must = f"left out with the escape {name!r}"
        raise InvalidInput(first, value, must, "Or pass --escape multi.")
    if name == "multi":
        try:
            return MultiStepEscape(**{MULTI[key]: value for key, value in multi.items()})
        except InvalidInput as error:
            option = {field: key for key, field in MULTI.items()}.get(error.argument, "escape")
            raise InvalidInput(option, error.was, error.must_be, error.cure) from None
    return None if name == "none" else ESCAPES[name]()


def _start(start: str, space: Space) -> Any:
    if start in STARTS:
        return start
    if not Path(start).suffix and not Path(start).exists():
        must = f"one of {', '.join(STARTS)}, or a file with a factor"
        raise InvalidInput("start", repr(start), must, nearest(start, STARTS))
    return load_factor(start, space)


def _recover(
    options: RecoverOptions,
    problem: Problem,
    start: Any,
    escape: Escape | None,
    interrupt: Interrupt,
    share: Share | None,
) -> Recovery:
    given: dict[str, Any] = {} if options.budget is None else {"budget": options.budget}

    spend = float(options.budget or BUDGET)
    with Heartbeat(options.quiet, spend, options.max_seconds) as heartbeat:

        def progress(event: dict) -> None:
            heartbeat.tell(event)
            asked = interrupt.asked if share is None else share.asked(event, interrupt.asked)
            if asked:
                raise StopIteration

        return recover_problem(
            problem,
            start=start,
            escape=escape,
            seed=options.seed,
            noise=options.noise,
            trace_bound=options.trace_bound,
            callback=progress,
            trace=options.plot is not None,
            max_seconds=options.max_seconds,
            precision=options.precision,
            checkpoint=None if share is None else share.keep,
            **given,
        )


def _write(
    options: RecoverOptions,
    loaded: LoadedProblem,
    recovery: Recovery,
    fields: dict[str, Any],
    draw: Callable[..., Any] | None,
    written: list[str],
) -> None:
    """Write the files asked for, and add their names to ``written``."""
    # Zero, a stationary point, is what a run has before its first start; it is no use to anyone.
    if recovery.status == INTERRUPTED and not np.any(recovery.x):
        return
    if options.out is not None:
        save_result(options.out, recovery, fields, hdf5=options.mat73)
        written.append(options.out)
    if options.plot is not None and draw is not None:
        with atomic_write(options.plot) as temporary:
            draw(loaded.problem, recovery, temporary, truth=loaded.truth)
        written.append(options.plot)


def report(fields: dict[str, Any], loaded: LoadedProblem, written: list[str]) -> None:
    """Print the verdict and the numbers behind it."""
    emit(coloured(fields["message"], fields["status"]))
    kinds = ", ".join(escape["kind"] for escape in fields["escapes"])
    rows = [
        ("problem", f"{loaded.label}, n {fields['n']}, m {fields['m']}, rank {fields['rank']}"),
        ("rank found", f"{fields['effective_rank']}"),
        ("certified", "yes" if fields["certified"] else "no"),
        ("objective h", f"{fields['objective']:.6g} (relative {fields['relative_objective']:.3g})"),
        ("lower bound", f"{fields['lower_bound']:.6g} (assumes: {fields['assumption']})"),
        *lambda_row(fields),
        *_noise(fields),
        ("gradient norm", f"{fields['gradient_norm']:.3g}"),
        ("determined", _determined(fields)),
        *_told(fields),
        (
            "applications",
            f"{fields['applications']} in {fields['rounds']} round(s), {fields['agreeing']} here",
        ),
        ("seconds", f"{fields['seconds']:.3g}"),
        ("escapes tried", f"{len(fields['escapes'])}" + (f": {kinds}" if kinds else "")),
    ]
    if "distance" in fields:
        text = f"{fields['distance']:.3g} (relative {fields['relative_distance']:.3g})"
        rows.append(("distance to truth", text))
    emit_table(rows + [("wrote", name) for name in written])
    sys.stdout.flush()
