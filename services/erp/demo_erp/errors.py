"""Refusals of the demo ERP."""

from __future__ import annotations

from shared.kernel.errors import DomainError, NotPermitted

__all__ = ["DemoRefusal", "OnlyForTrials"]


class DemoRefusal(DomainError):
    """What the demo ERP answers instead of doing what it was asked. `code` is for machines."""

    problem = "demo-erp-refusal"
    title = "The demo ERP refused"

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class OnlyForTrials(NotPermitted):
    """Nobody tells an ERP in production to misbehave."""

    problem = "only-for-trials"
    title = "Scripts are for trials only"
