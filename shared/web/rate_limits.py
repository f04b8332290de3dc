"""How many requests one caller may send, counted per process.

A leaking bucket in the form of the generic cell rate algorithm (ITU-T I.371): one number per caller, no
clean-up thread, so the process can still fork and a check costs a microsecond."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

__all__ = ["RateLimit"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_FORM = re.compile(r"([1-9][0-9]*)/(second|minute|hour|day)")
_REMEMBERED_CALLERS = 20_000


class RateLimit:
    """`600/second`: that many at once, and on average that many per second. Raises ValueError for another
    form."""

    def __init__(self, rate: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        form = _FORM.fullmatch(rate)
        if form is None:
            raise ValueError(f"{rate!r} is not a rate such as 600/second or 60/minute")
        self._period = float(_SECONDS[form[2]])
        self._spacing = self._period / int(form[1])
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next_free: OrderedDict[str, float] = OrderedDict()

    def take(self, caller: str) -> int:
        """Count one request of `caller`. 0: it may pass; else the whole seconds after which it may try
        again."""
        now = self._monotonic()
        with self._lock:
            level = max(self._next_free.get(caller, now), now) + self._spacing
            excess = level - now - self._period
            # Sums of many spacings carry a rounding error; a request in time must not fail for it.
            if excess > self._spacing / 1000:
                return max(1, ceil(excess))
            self._next_free[caller] = level
            self._next_free.move_to_end(caller)
            if len(self._next_free) > _REMEMBERED_CALLERS:
                self._next_free.popitem(last=False)
        return 0
