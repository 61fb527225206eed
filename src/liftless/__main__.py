"""The program ``liftless``.

Nothing heavy is imported before the program is ready for Ctrl-C and SIGTERM.
"""

import io
import os
import sys
from collections.abc import Sequence

from liftless._ends import INTERRUPTED, Interrupt, deafen

#: Exit code of a run whose reader went away (as Typer has it).
BROKEN_PIPE = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; the process's own if left out.  In that case Ctrl-C
        and SIGTERM end the process with code 75 wherever a command does not see to them, and are
        ignored from the end of this function on.

    Returns
    -------
    int
    """
    if argv is not None:
        return _main(argv)
    Interrupt(until=None).__enter__()  # for the rest of the process
    try:
        return _main(None)
    finally:
        deafen()


def _main(argv: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without λ must not end a run.
            stream.reconfigure(errors="backslashreplace")
    try:
        from liftless.cli import invoke

        code = invoke(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered would be flushed, and fail again, at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


if __name__ == "__main__":
    sys.exit(main())
