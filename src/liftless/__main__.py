"""The program ``liftless``."""

import io
import os
import sys
from collections.abc import Sequence

#: Exit code of an interrupted run, and of one whose reader went away (as Typer has it).
INTERRUPTED, BROKEN_PIPE = 75, 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; the process's own if left out.

    Returns
    -------
    int
    """
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
