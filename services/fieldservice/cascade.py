"""What the appointments of a work order make of it: a pure function, from the first rule that matches.

With s = scheduled + en_route, w = in_progress + on_break, c = completed, p = partially_completed and f = failed:

1. w > 0: in_progress
2. s > 0 and c + p + f > 0: in_progress
3. s > 0: scheduled
4. c > 0: completed (outranks partial and failed siblings), unscheduled while the last visit asked for is not completed
5. p + f > 0: unscheduled, and somebody has to come again
6. nothing: unscheduled
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Outcome", "Visit", "cascade"]

_AHEAD = ("scheduled", "en_route")
_AT_WORK = ("in_progress", "on_break")
_UNFINISHED = ("partially_completed", "failed")


@dataclass(frozen=True, slots=True)
class Visit:
    """An appointment as the cascade sees it. Both numbers count from 1; each reopening begins a new round."""

    state: str
    visit_no: int = 1
    round_no: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of the work order, and whether an unfinished visit asks for another one."""

    state: str
    needs_follow_up: bool = False


def cascade(visits: Sequence[Visit], visits_asked: int = 1, round_no: int = 1) -> Outcome:
    """The work order's state. Cancelled visits never count, and those of rounds before `round_no`, which
    ended before the order was reopened, no longer do. `visits_asked`: how many visits the work takes."""
    counted = [visit for visit in visits if visit.state != "cancelled" and visit.round_no >= round_no]
    ahead = any(visit.state in _AHEAD for visit in counted)
    completed = [visit.visit_no for visit in counted if visit.state == "completed"]
    unfinished = any(visit.state in _UNFINISHED for visit in counted)
    if any(visit.state in _AT_WORK for visit in counted) or (ahead and (completed or unfinished)):
        return Outcome("in_progress")
    if ahead:
        return Outcome("scheduled")
    if completed:
        return Outcome("completed" if max(completed) >= visits_asked else "unscheduled")
    return Outcome("unscheduled", needs_follow_up=unfinished)
