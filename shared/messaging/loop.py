"""The threads of a bus process: each repeats one step, is woken by hints, and survives whatever a step raises."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import ClassVar

from shared.messaging.retry import relay_delay

__all__ = ["Loop"]

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
"""Seconds between two tries at most: when a database or a broker is back, work goes on at once."""


class Loop(ABC):
    """A named thread that calls `step` until it is stopped.

    After a step that found nothing to do the thread sleeps for `interval` seconds or until `wake`. After an
    exception it calls `recover` (drop broken connections) and waits with growing pauses.
    """

    follows_ingest: ClassVar[bool] = False
    """Whether newly stored records are a reason to wake this loop."""

    def __init__(self, name: str, interval: float = 1.0) -> None:
        self.name = name
        self._interval = interval
        self._hint = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.last_beat = time.monotonic()
        """When the last step ended, on the monotonic clock: the liveness probe reads it."""
        self.failures = 0
        """How many steps in a row have failed."""

    @abstractmethod
    def step(self) -> bool:
        """Do one piece of work; True when there may be more at once."""

    def recover(self) -> None:
        """Get ready to try again after a failed step."""

    def close(self) -> None:
        """Give resources back; called once, in the loop's own thread, when it ends."""

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._hint.set()

    def stop(self) -> None:
        """Ask the loop to end after its present step."""
        self._stopping.set()
        self._hint.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end; False when it has not come in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._hint.clear()
                if not self._attempt():
                    self._hint.wait(self._interval)
        finally:
            try:
                self.close()
            except Exception:  # the connection may be gone already
                log.info("%s could not close what it held", self.name, exc_info=True)

    def _attempt(self) -> bool:
        try:
            more = self.step()
        except Exception as error:
            self.failures += 1
            pause = min(LONGEST_PAUSE, relay_delay(self.failures))
            log.warning(
                "%s failed, again in %.1f s: %s: %s",
                self.name,
                pause,
                type(error).__name__,
                error,
                exc_info=self.failures == 1,
            )
            self._recover()
            self._stopping.wait(pause)
            more = True
        else:
            self.failures = 0
        self.last_beat = time.monotonic()
        return more

    def _recover(self) -> None:
        try:
            self.recover()
        except Exception:  # what is broken may not even close; the thread must not end of it
            log.warning("%s could not give up what it held", self.name, exc_info=True)
