"""A sign of life while a long step, or a compilation, has nothing of its own to say."""

import threading
import time
from types import TracebackType

from liftless.cli.messages import note

#: Seconds of silence after which one is given.
SILENCE = 2.0


class Heartbeat:
    """Context in which standard error is never silent for longer than two seconds.

    Parameters
    ----------
    quiet : bool
        Whether to say nothing at all.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.began = self.last = time.monotonic()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def say(self, text: str) -> None:
        """Print a line that has news."""
        if self.quiet:
            return
        with self._lock:
            self.last = time.monotonic()
            note(text)

    def _beat(self) -> None:
        while not self._over.wait(0.25):
            with self._lock:
                now = time.monotonic()
                if now - self.last >= SILENCE - 0.25:
                    self.last = now
                    note(f"at work for {now - self.began:.0f} s")

    def __enter__(self) -> "Heartbeat":
        if not self.quiet:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
