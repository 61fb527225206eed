"""Ctrl-C as a request: the first ends the run in good order, the second at once."""

import contextlib
import os
import signal
import socket
import sys
import threading
from types import TracebackType

from liftless.cli.messages import INTERRUPTED, note


class Interrupt:
    """While it is entered, the first Ctrl-C sets ``asked`` and the second ends the process.

    Compiled code holds the main thread for as long as a local solve takes, and Python's own
    handlers wait for it.  Hence a second thread, woken by the signal itself.

    Outside the main thread, and where Ctrl-C is ignored from the outset, nothing changes.

    Parameters
    ----------
    until : str
        What the run still finishes after the first.
    """

    def __init__(self, until: str = "this local solve") -> None:
        self.asked = False
        self.until = until
        self._exit: contextlib.ExitStack | None = None

    def __enter__(self) -> "Interrupt":
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            return self
        with contextlib.ExitStack() as stack:
            reader, writer = (stack.enter_context(end) for end in socket.socketpair())
            writer.setblocking(False)
            thread = threading.Thread(target=self._watch, args=(reader,), daemon=True)
            # Undone in reverse: handler, descriptor, then the end of the thread.
            stack.callback(thread.join)
            stack.callback(writer.shutdown, socket.SHUT_WR)
            before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            stack.callback(signal.set_wakeup_fd, before)
            handler = signal.signal(signal.SIGINT, lambda *_: None)
            stack.callback(signal.signal, signal.SIGINT, handler)
            thread.start()
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

    def _watch(self, reader: socket.socket) -> None:
        while numbers := reader.recv(16):
            for _ in range(numbers.count(bytes([signal.SIGINT]))):
                self._pressed()

    def _pressed(self) -> None:
        if not self.asked:
            self.asked = True
            note(f"interrupt: the run ends after {self.until}; Ctrl-C again ends it at once")
            return
        note("interrupted")
        # No file is open for writing while this object is entered.
        sys.stderr.flush()
        os._exit(INTERRUPTED)
