"""``liftless reproduce``."""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liftless._checks import describe
from liftless._ends import INTERRUPTED, Interrupt
from liftless._errors import InvalidInput
from liftless.cli.compilation import enable_cache
from liftless.cli.messages import CONTRADICTED, FAILED, complain, emit, emit_json, note
from liftless.cli.names import nearest
from liftless.schedule import Scheduler, WorkerLost
from liftless_papers.cli.options import ReproduceOptions
from liftless_papers.experiments import EXPERIMENTS, HOLDS, SIZES, experiment

if TYPE_CHECKING:
    from liftless_papers.report.page import Section
    from liftless_papers.report.run import Run

#: Name that stands for every experiment.
ALL = "all"


@dataclass
class Results:
    """What a run of several experiments has so far."""

    records: list[dict[str, Any]] = field(default_factory=list)
    sections: "list[Section]" = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    interrupted: bool = False

    def arrange(self) -> None:
        """Put experiments that other processes ended in any order into that of their list."""
        order = list(EXPERIMENTS).index
        self.sections.sort(key=lambda part: order(part.name))
        self.records.sort(key=lambda record: order(record["name"]))


def run(options: ReproduceOptions) -> int:
    """Run, report, and write what was asked for."""
    names = _names(options)
    folder = report_folder(options.out)
    scheduler = Scheduler.of(options.scheduler, options.jobs)
    scheduler.reach()
    enable_cache(options.quiet)
    results, total = Results(), len(names)

    def take(done: "Run") -> None:
        if _keep(done, folder, results) and not options.as_json:
            report(done)

    lost: WorkerLost | None = None
    with Interrupt("this experiment") as interrupt:
        try:
            names = _elsewhere(names, options, results, scheduler, interrupt, take)
            for done in _runs(names, options, results, scheduler, interrupt):
                take(done)
        except WorkerLost as error:  # what there is by now is shown all the same
            lost = error
    results.arrange()
    if folder is not None and results.sections and (results.failed or not scheduler.here):
        _write_page(folder, results)  # in order, and with a last one that failed
    if options.as_json:
        _print_json(options, results)
    elif folder is not None and results.sections:
        emit(f"wrote {folder / 'index.html'}")
    sys.stdout.flush()
    for name, message in results.failed:
        complain(f"{name}: {message}")
    if results.interrupted:
        note(f"interrupted; {len(results.records)} of {total} experiments are complete")
        return INTERRUPTED
    if lost is not None:
        complain(f"{lost}; {len(results.records)} of {total} experiments are complete")
        return FAILED
    if results.failed:
        return FAILED
    against = [record["name"] for record in results.records if record["against"]]
    for name in against:
        complain(f"{name}: this run speaks against what is written of a statement")
    return CONTRADICTED if against else 0


def _names(options: ReproduceOptions) -> list[str]:
    """Check name, size and seed; the names of the experiments to run."""
    if options.name not in (ALL, *EXPERIMENTS):
        must = "the name of an experiment, or all"
        cure = nearest(options.name, [ALL, *EXPERIMENTS]) or "'liftless list' shows them."
        raise InvalidInput("name", repr(options.name), must, cure)
    if options.size not in SIZES:
        must = f"one of {', '.join(SIZES)}"
        raise InvalidInput("size", repr(options.size), must, nearest(options.size, SIZES))
    if options.seed < 0:
        raise InvalidInput("seed", describe(options.seed), "zero or positive")
    return list(EXPERIMENTS) if options.name == ALL else [options.name]


def report_folder(out: str | None) -> Path | None:
    """Check that files can be written to ``out``, which is made only with the first of them."""
    if out is None:
        return None
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InvalidInput("out", f"{out!r}, a file", "a directory, or a new name")
    near = folder if folder.exists() else folder.resolve().parent
    if not near.is_dir():
        cure = f"Create {str(near)!r} first."
        raise InvalidInput("out", f"{out!r}, in no directory that exists", "in one", cure)
    if not os.access(near, os.W_OK | os.X_OK):
        raise InvalidInput("out", repr(out), "a directory you may write to")
    return folder


def _elsewhere(
    names: list[str],
    options: ReproduceOptions,
    results: Results,
    scheduler: Scheduler,
    interrupt: Interrupt,
    take: "Callable[[Run], None]",
) -> list[str]:
    """Run experiments on other processes, and return the names of those that are to run here.

    One that keeps its cells in a file runs here, where the file is, and its cells elsewhere.
    """
    if scheduler.here:
        return names
    kept = [name for name in names if options.out is not None and _resumable(name)]

    def on_row(row: "tuple[str, Run | str]") -> None:
        name, done = row
        if isinstance(done, str):
            results.failed.append((name, done))
        else:
            take(done)

    away = [name for name in names if name not in kept]
    if not options.quiet and away:
        note(f"{len(away)} experiments on {scheduler.where}")
    function = functools.partial(_away, options.size, options.seed)
    asked = lambda: interrupt.asked  # noqa: E731
    setup = functools.partial(enable_cache, True)
    done = scheduler.run(function, away, on_row, setup=setup, asked=asked)
    if interrupt.asked and done < len(away):
        results.interrupted = True
        return []
    return kept


def _resumable(name: str) -> bool:
    """Whether an experiment keeps its cells; one that cannot be loaded is told of where it runs."""
    try:
        return experiment(name).resumable
    except Exception:
        return False


def _away(size: str, seed: int, name: str) -> "tuple[str, Run | str]":
    """Name of an experiment, and its run or the error that ended it."""
    try:
        return name, _run(name, ReproduceOptions(name, size=size, seed=seed), Scheduler())
    except Exception as error:  # an experiment may fail in any way; the others go on
        return name, f"{type(error).__name__}: {error}"


def _runs(
    names: list[str],
    options: ReproduceOptions,
    results: Results,
    scheduler: Scheduler,
    interrupt: Interrupt,
) -> "Iterator[Run]":
    """Run one experiment after the other; an error ends that one alone."""
    for number, name in enumerate(names):
        if not options.quiet:
            note(f"{name} ({number + 1} of {len(names)}): {EXPERIMENTS[name][2]}")
        done = None
        try:
            done = _run(name, options, scheduler)
        except WorkerLost:
            raise
        except Exception as error:  # an experiment may fail in any way; the others go on
            results.failed.append((name, f"{type(error).__name__}: {error}"))
        if done is not None:
            yield done
        if interrupt.asked:
            results.interrupted = True
            return


def _run(name: str, options: ReproduceOptions, scheduler: Scheduler) -> "Run":
    from liftless_papers.report.run import Run

    started = time.perf_counter()
    made = experiment(name)
    size = SIZES[SIZES.index(options.size)]  # pyright: ignore[reportArgumentType]
    if options.out is not None and made.resumable:
        folder = Path(options.out)
        folder.mkdir(exist_ok=True)
        kept = folder / f"{name}-{size}-{options.seed}.sqlite"
        setup = functools.partial(enable_cache, True)
        sweep = None if scheduler.here else functools.partial(scheduler.run, setup=setup)
        outcome = made.resume(size, options.seed, kept, sweep)
    else:
        outcome = made.run(size, options.seed)
    return Run(made, size, options.seed, time.perf_counter() - started, outcome)


def _keep(done: "Run", folder: Path | None, results: Results) -> bool:
    """Write the files of one experiment, then the page of all so far; whether it worked."""
    if folder is not None:
        from liftless_papers.report.page import section
        from liftless_papers.report.run import write_run

        try:
            part = section(done)
            folder.mkdir(exist_ok=True)
            write_run(done, folder / done.name)
        except OSError:
            raise
        except Exception as error:  # a figure asks for what the rows do not have, say
            results.failed.append((done.name, f"{type(error).__name__}: {error}"))
            return False
        results.sections.append(part)
        _write_page(folder, results)
    results.records.append(done.record())
    return True


def _write_page(folder: Path, results: Results) -> None:
    from liftless.io import atomic_write
    from liftless_papers.report.page import page

    with atomic_write(folder / "index.html") as target:
        target.write_text(page(results.sections, results.failed), "utf-8")


def _print_json(options: ReproduceOptions, results: Results) -> None:
    if options.name == ALL:
        errors = [{"name": name, "message": message} for name, message in results.failed]
        emit_json({"experiments": results.records, "errors": errors})
    elif results.records:
        emit_json(results.records[0])


def report(done: "Run") -> None:
    """Print the counts of the verdicts, every claim that does not hold, and what disagrees."""
    from liftless_papers.report.run import counts, references

    claims = done.outcome.claims
    verdicts, (met, numbers) = counts(claims), references(claims)
    found = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
    beside = f"; {met} of {numbers} reference numbers met" if numbers else ""
    emit(f"{done.name}: {sum(verdicts.values())} claims: {found}{beside}; {done.seconds:.1f} s")
    for claim in claims:
        if claim.verdict != HOLDS:
            why = f" | {claim.note}" if claim.note else ""
            emit(f"  {claim.verdict}: {claim.where}: {claim.text}{why}")
    for line in done.against:
        emit(f"  speaks against the statement {line}")
    sys.stdout.flush()
