"""What a run says while it is at work: a line that changes in a terminal, plain lines in a log.

The line is drawn by rich, the extra ``progress``; without it, and wherever standard error is no
terminal, there are plain lines.  Either way nobody waits for longer than two seconds for a sign of
life, whatever a long step or a compilation has to say of its own.
"""

import contextlib
import importlib
import math
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from liftless._show import event_line, newsworthy
from liftless.cli.messages import note

#: Seconds of silence after which a sign of life is given.
SILENCE = 2.0


class Heartbeat:
    """Context in which standard error is never silent for longer than two seconds.

    Parameters
    ----------
    quiet : bool
        Whether to say nothing at all.
    budget : float, optional
        Applications that the run may spend.
    seconds : float, optional
        Seconds that it may take.
    """

    def __init__(
        self, quiet: bool, budget: float | None = None, seconds: float | int | None = None
    ) -> None:
        self.quiet = quiet
        self.began = self.last = time.monotonic()
        self.live = None if quiet else live(budget, seconds)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def tell(self, event: Mapping[str, Any]) -> None:
        """Show what :func:`liftless.recover` or :func:`liftless.complete` told its callback."""
        if self.quiet:
            return
        with self._lock:
            now = time.monotonic()
            # A single sweep is no line of a log, and no sign of life there either.
            self.last = now if self.live is not None or newsworthy(event) else self.last
            if self.live is not None:
                self.live.update(event, now - self.began)
            elif newsworthy(event):
                note(event_line(event))

    def _beat(self) -> None:
        while not self._over.wait(0.25):
            with self._lock:
                now = time.monotonic()
                if self.live is None and now - self.last >= SILENCE - 0.25:
                    self.last = now
                    note(f"at work for {now - self.began:.0f} s")

    def __enter__(self) -> "Heartbeat":
        if self.live is not None:
            self.live.start()
        elif not self.quiet:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self.live is not None:
            self.live.stop()
        if self._thread.is_alive():
            self._thread.join()


def live(budget: float | None, seconds: float | int | None) -> "Live | None":
    """Return a line that changes, where there is a terminal and rich to draw it."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    with contextlib.suppress(ModuleNotFoundError):
        return Live(importlib.import_module("rich.progress"), budget, seconds)
    return None


class Live:
    """One line of a terminal: what is done, the best level, applications, their rate, time left.

    Parameters
    ----------
    rich : module
        ``rich.progress``.
    budget, seconds : float, optional
        As for :class:`Heartbeat`.
    """

    def __init__(self, rich: Any, budget: float | None, seconds: float | int | None) -> None:
        self.budget, self.seconds, self.best = budget, seconds, math.inf
        console = importlib.import_module("rich.console").Console(stderr=True)
        # Without a known end the bar would only pulse.
        bar = [] if budget is None else [rich.BarColumn(bar_width=20)]
        self.line = rich.Progress(
            rich.SpinnerColumn(),
            rich.TextColumn("{task.description}", markup=False),
            *bar,
            rich.TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self.task = self.line.add_task("compiling", total=budget)

    def start(self) -> None:
        """Show the line."""
        self.line.start()

    def stop(self) -> None:
        """Take it away."""
        self.line.stop()

    def update(self, event: Mapping[str, Any], elapsed: float) -> None:
        """Show what was told."""
        text = self.words(event, elapsed)
        self.line.update(self.task, description=text, completed=event.get("applications", 0))

    def words(self, event: Mapping[str, Any], elapsed: float) -> str:
        """Put an event into the words of the line."""
        if "applications" not in event or event["event"] == "held out":
            return event_line(event)
        h, spent = event.get("objective", math.nan), float(event["applications"])
        self.best = min(self.best, h) if math.isfinite(h) else self.best
        parts = [event["event"].partition(" ")[0]]
        if math.isfinite(self.best):
            parts.append(f"best h {self.best:.3g}")
        if "error" in event:
            parts.append(f"estimated error {event['error']:.2g}")
        rate = spent / elapsed if elapsed > 0 else 0.0
        parts.append(f"{spent:.0f} applications, {rate:.0f} a second")
        left = []
        if self.budget is not None and rate > 0:
            left.append((self.budget - spent) / rate)
        if self.seconds is not None:
            left.append(self.seconds - elapsed)
        if left:
            parts.append(f"{max(0.0, min(left)):.0f} s left at most")
        return "; ".join(parts)
