"""Refusals of the forms slice."""

from __future__ import annotations

from shared.kernel.errors import Invalid

__all__ = ["HoneypotIsField"]


class HoneypotIsField(Invalid):
    """People would have to fill in what only robots may."""

    problem = "honeypot-is-field"
    title = "The honeypot must not be a field of the form"
