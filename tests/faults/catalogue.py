"""Every fault there is: importing the modules enters them."""

from __future__ import annotations

from tests.faults import broker, crashes, database, delivery, processes, versions
from tests.faults.registry import FAULTS, Fault

__all__ = ["CATALOGUE", "chosen"]

_MODULES = (crashes, broker, database, delivery, processes, versions)

CATALOGUE: tuple[Fault, ...] = tuple(sorted(FAULTS.values(), key=lambda fault: fault.number))
"""All faults by number."""


def chosen(names: str) -> list[Fault]:
    """The faults whose names or numbers are given, separated by commas; all without any. Raises KeyError."""
    wanted = [name for name in names.split(",") if name]
    by_number = {str(fault.number) for fault in CATALOGUE}
    for name in wanted:
        if name not in FAULTS and name not in by_number:
            raise KeyError(f"there is no fault {name!r}: choose from {', '.join(FAULTS)}")
    return [each for each in CATALOGUE if not wanted or each.name in wanted or str(each.number) in wanted]
