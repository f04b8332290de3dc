"""Refusals of the appointments slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict

__all__ = ["NotSchedulable", "TechnicianBusy", "TechnicianUnderway"]


class TechnicianBusy(Conflict):
    """Nobody is at two places at once; the answer names the appointment in the way."""

    problem = "technician-busy"
    title = "The technician has another appointment then"


class TechnicianUnderway(Conflict):
    """A technician drives to or works at one appointment at a time; the answer names the other."""

    problem = "technician-underway"
    title = "The technician is on another visit"


class NotSchedulable(Conflict):
    """Holds or missing skills stand against it; the answer lists them. Who may override gives a reason."""

    problem = "not-schedulable"
    title = "The visit cannot be planned as it is"
