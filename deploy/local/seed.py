"""The small believable company that a new suite starts with."""

from __future__ import annotations

from deploy.local.suite import LocalSuite


def seed(suite: LocalSuite) -> None:
    """Fill ``suite`` through its HTTP APIs, once all services are ready; a second time changes nothing."""
