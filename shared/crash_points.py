"""Named points at which a test kills a process, to prove that nothing depends on what it had in mind.

`CRM_CRASH_AT=R2` kills the process as by a power cut when it comes to R2, `R2:3` when it does so the third time. In
production a process with the variable set does not start.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.settings import SettingsError

__all__ = ["POINTS", "VARIABLE", "arm", "passing"]

VARIABLE = "CRM_CRASH_AT"

POINTS = {
    "W1": "everything is written, the commit is not sent",
    "W2": "the commit is done, nobody has been answered",
    "W3": "the commit's notice has come, the relay has not been woken",
    "R1": "records are handed to the broker, nothing is acknowledged",
    "R2": "records are acknowledged, not marked as published",
    "R3": "records are marked as published",
    "I1": "records have been polled, not stored",
    "I2": "records are stored, the broker's offsets are not committed",
    "I3": "the broker's offsets are committed",
    "H1": "a fact is claimed, its handler has not begun",
    "H2": "a handler has had its effect, the transaction is open",
    "H3": "a batch of facts is committed",
}
_FORM = re.compile(rf"({'|'.join(POINTS)})(?::([1-9][0-9]{{0,8}}))?")


@dataclass(frozen=True)
class _Armed:
    point: str
    times: int
    passed: Iterator[int]


_armed: _Armed | None = None


def arm(environ: Mapping[str, str], environment: str) -> None:
    """Let this process, and those it forks, die where the variable says; without it, nowhere.

    Raises SettingsError when it is set in the environment "production", or names no point.
    """
    global _armed
    given = environ.get(VARIABLE)
    if not given:
        _armed = None
        return
    if environment == "production":
        raise SettingsError(f"{VARIABLE} is a test hook, which kills the process: unset it in production.")
    asked = _FORM.fullmatch(given)
    if asked is None:
        raise SettingsError(f"{VARIABLE}: one of {', '.join(POINTS)}, with :N for the Nth time, is expected.")
    _armed = _Armed(asked[1], int(asked[2] or 1), itertools.count(1))


def passing(point: str) -> None:
    """The process has come to `point`, one of POINTS."""
    if _armed is not None and _armed.point == point and next(_armed.passed) == _armed.times:
        os.kill(os.getpid(), signal.SIGKILL)
