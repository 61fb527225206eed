"""Ctrl-C and SIGTERM as requests: the first ends the run in good order, the second at once.

Only the standard library is imported, so that a program is ready for them before anything heavy is.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

#: Exit code of a run that was interrupted and can be gone on with.
INTERRUPTED = 75
#: What asks for an end.
SIGNALS = (signal.SIGINT, signal.SIGTERM)

#: Files that are being written, which an end at once takes away.
_unfinished: set[Path] = set()
#: Whatever is entered, the innermost last.
_entered: "list[Interrupt]" = []


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[None]:
    """Let an end at once remove ``path`` too, as long as the context lasts."""
    _unfinished.add(path)
    try:
        yield
    finally:
        _unfinished.discard(path)


class Interrupt:
    """While it is entered, the first Ctrl-C or SIGTERM sets ``asked``; the second ends the process.

    Compiled code holds the main thread for as long as a local solve takes, and Python's own
    handlers wait for it; in an import they raise where nothing expects it.  Hence a second thread,
    woken by the signal itself.

    Outside the main thread nothing changes, and a signal that is ignored stays so.

    Parameters
    ----------
    until : str or None
        What the run still finishes after the first; None where even the first ends the process.
    """

    def __init__(self, until: str | None = "this local solve") -> None:
        self.asked = False
        self.until = until
        self._exit: contextlib.ExitStack | None = None

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is not threading.main_thread():
            return self
        with contextlib.ExitStack() as stack:
            if not _entered:  # the outermost one listens for all of them
                _listen(stack)
            _entered.append(self)
            stack.callback(_entered.remove, self)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._exit is not None:
            self._exit.close()

    def press(self) -> None:
        """Note the first request; end the process at another one."""
        if self.until is None or self.asked:
            _end()
        self.asked = True
        _say(f"interrupt: the run ends after {self.until}; a second one ends it at once")


def deafen() -> None:
    """Ignore further requests: the process has done what it was for, and its code stands."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _listen(stack: contextlib.ExitStack) -> None:
    """Start the thread that hears signals, and book on the stack how to undo all of it."""
    heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    if not heard:
        return
    reader, writer = (stack.enter_context(end) for end in socket.socketpair())
    writer.setblocking(False)
    thread = threading.Thread(target=_watch, args=(reader,), daemon=True)
    # Undone in reverse: handlers, descriptor, then the end of the thread.
    stack.callback(thread.join)
    stack.callback(writer.shutdown, socket.SHUT_WR)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    stack.callback(signal.set_wakeup_fd, before)
    thread.start()
    for number in heard:
        stack.callback(signal.signal, number, signal.getsignal(number) or signal.SIG_DFL)
        signal.signal(number, lambda *_: None)


def _watch(reader: socket.socket) -> None:
    while numbers := reader.recv(16):
        for number in numbers:
            if number in SIGNALS and _entered:
                _entered[-1].press()


def _end() -> None:
    """End the process here and now, with nothing half written left."""
    _say("interrupted")
    for path in list(_unfinished):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    os._exit(INTERRUPTED)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # whoever read it is gone
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
