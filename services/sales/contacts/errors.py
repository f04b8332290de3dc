"""Refusals of the contacts slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid

__all__ = ["ContactExists", "ContactNotLive", "NameNeeded"]


class ContactNotLive(Conflict):
    """The contact was merged away or erased; it cannot be changed any more."""

    problem = "contact-not-live"
    title = "The contact is no longer live"


class ContactExists(Conflict):
    """Another contact carries the same external id."""

    problem = "contact-exists"
    title = "There is such a contact already"


class NameNeeded(Invalid):
    """A contact has a given name or a family name."""

    problem = "name-needed"
    title = "The contact needs a name"
