"""One recovery over several processes of this machine, each with some of the measurements.

All run the same program in step (:mod:`liftless.operators.on_mesh`); the first tells and writes.
This process starts them, hands on Ctrl-C, and ends them all when one is lost.
"""

import contextlib
import dataclasses
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import equinox as eqx
import numpy as np

from liftless._ends import INTERRUPTED, Interrupt
from liftless._errors import InvalidInput
from liftless.cli.messages import note
from liftless.cli.options import RecoverOptions
from liftless.problem import Problem
from liftless.recovery.result import CERTIFIED, NOT_CONVERGED, UNCERTIFIED
from liftless.schedule import one_thread

#: Seconds in which the first process must have noticed that another is lost; seconds between two
#: files of the best factor, and between two looks at the processes.
GRACE, KEPT, LOOK = 30.0, 5.0, 0.1
#: Seconds for the processes to find each other.
MEETING = 120
#: Exit codes of a process whose run came to its end.
ENDED = (CERTIFIED, NOT_CONVERGED, UNCERTIFIED)


class Share:
    """What one of several processes does of a recovery.

    Parameters
    ----------
    number : int
        From 0, the one that tells and writes.
    out : str or None
        Where the best factor so far is kept.
    """

    def __init__(self, number: int, out: str | None) -> None:
        self.number, self.out = number, out
        self.best: np.ndarray | None = None
        self._written = -np.inf

    def part(self, problem: Problem) -> Problem:
        """Return the problem with its measurements on all processes."""
        import jax
        from jax.sharding import Mesh

        from liftless.operators import sharded

        mesh = Mesh(np.array(jax.devices()), ("m",))
        on_all = sharded(problem.operator, mesh)
        return eqx.tree_at(lambda one: one.operator, problem, on_all)

    def asked(self, event: dict, here: bool) -> bool:
        """Whether the first process was asked to end; looked at where all are at the same event."""
        if event["event"] == "working" or " sweeps" in event["event"]:
            return False
        from liftless._peers import of_first

        return of_first(float(here)) > 0

    def keep(self, X: np.ndarray) -> None:
        """Keep the best factor, and write it now and then."""
        self.best = X
        if time.monotonic() - self._written >= KEPT:
            self.write()

    def write(self) -> bool:
        """Write the best factor where there is one and a file for it."""
        if self.number or self.out is None or self.best is None:
            return False
        from liftless.io.write import write_arrays

        write_arrays(self.out, {"factor": self.best})
        self._written = time.monotonic()
        return True


def check_processes(options: RecoverOptions, problem: Problem) -> None:
    """Refuse what several processes cannot do, before they are started."""
    from liftless.operators.shards import KINDS

    if options.max_seconds is not None:
        must = "left out with --processes: their clocks differ"
        raise InvalidInput("max_seconds", options.max_seconds, must, "Pass --budget.")
    if not isinstance(problem.operator, KINDS):
        was = f"{options.processes} for {type(problem.operator).__name__}"
        raise InvalidInput("processes", was, "1 for measurements that cannot be cut by rows")
    if options.processes > problem.m:
        must = f"at most the {problem.m} measurements"
        raise InvalidInput("processes", options.processes, must)


def over_processes(options: RecoverOptions) -> int:
    """Run the processes to their end; the exit code of the first, or 75 where one was lost."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = _stamp(options.out)
    with one_thread(), Interrupt() as interrupt:
        started = [_start(k, port, options) for k in range(options.processes)]
        try:
            lost = _watch(started, interrupt)
        finally:
            for process in started:
                process.kill()
                process.wait()
                if process.stdin is not None:
                    with contextlib.suppress(OSError):
                        process.stdin.close()
    if lost is None:
        return started[0].returncode
    number, code = lost
    kept = options.out is not None and _stamp(options.out) != before
    go_on = f"go on with --start {options.out}" if kept else "no point was kept"
    how = f"by signal {-code}" if code < 0 else f"with code {code}"
    note(f"process {number} of {options.processes} was lost ({how}); {go_on}")
    return INTERRUPTED


def _stamp(path: str | None) -> Any:
    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return found and (found.st_ino, found.st_mtime_ns)


def _start(number: int, port: int, options: RecoverOptions) -> subprocess.Popen:
    words = [sys.executable, "-m", "liftless.cli.processes"]
    # Only the first is heard; Ctrl-C of a terminal goes to this process alone.
    out = None if number == 0 else subprocess.DEVNULL
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(pickle.dumps((number, port, options)))
        process.stdin.flush()
    return process


def _watch(started: list[subprocess.Popen], interrupt: Interrupt) -> tuple[int, int] | None:
    """Wait for the first process; number and code of one that was lost."""
    first, told, lost, since = started[0], False, None, 0.0
    over = False
    while not over:
        # After its end the others are looked at once more: one of them may be why.
        over = first.poll() is not None
        if interrupt.asked and not told:
            first.send_signal(signal.SIGINT)
            told = True
        for k, process in enumerate(started[1:], 1):
            # One that has done its share, or ends as it was asked to, is not lost: the first may
            # be at its files for long.
            fine = (None, *ENDED, first.poll(), *((INTERRUPTED,) if told else ()))
            if lost is None and process.poll() not in fine:
                lost, since = (k, process.returncode), time.monotonic()
        if lost is not None and time.monotonic() - since > GRACE:
            first.kill()
        time.sleep(0 if over else LOOK)
    code = first.returncode
    if code >= 0 and (code != INTERRUPTED or (told and lost is None)):
        return None
    return lost or (0, code)


def main() -> None:
    """Body of one process; what it is to do comes by its standard input."""
    number, port, options = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if number:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keep_output()
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator_address=f"127.0.0.1:{port}",
        num_processes=options.processes,
        process_id=number,
        initialization_timeout=MEETING,
    )
    share = Share(number, options.out)
    if number:
        options = dataclasses.replace(options, quiet=True)
    code = _run(options, share)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Without the farewells of the runtime, which wait for processes that may be gone.
    os._exit(code)


def _run(options: RecoverOptions, share: Share) -> int:
    from liftless.cli.messages import USAGE, complain, warnings_as_lines
    from liftless.cli.run_recover import run

    try:
        with warnings_as_lines():
            return run(options, share)
    except InvalidInput as error:
        complain(str(error))
        return USAGE
    except Exception:  # a sum that a lost process does not take part in fails in many ways
        share.write()
        return INTERRUPTED


def _keep_output() -> None:
    """Keep standard output for this program: the transport writes its lines there, amid JSON."""
    old = sys.stdout
    sys.stdout = os.fdopen(os.dup(1), "w", encoding=old.encoding, errors=old.errors)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone."""
    sys.stdin.buffer.read()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
