"""Refusals of the assets slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict

__all__ = ["SerialTaken"]


class SerialTaken(Conflict):
    """Another asset of the product carries this serial number."""

    problem = "serial-taken"
    title = "The serial number is taken"
