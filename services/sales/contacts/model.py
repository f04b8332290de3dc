"""The contact aggregate."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.sales.contacts.errors import ContactNotLive, NameNeeded
from services.sales.contacts.events import ContactChanged, ContactCreated, ContactErased
from services.sales.database import Base
from services.sales.matching import fold_person
from shared.db.base import AggregateRoot

__all__ = ["Contact"]

_ERASED: Mapping[str, Any] = {
    "given_name": None,
    "family_name": "Erased contact",
    "title": None,
    "emails": [],
    "phones": [],
    "address": None,
    "language": None,
    "time_zone": None,
    "preferred_channel": None,
    "do_not_call": True,
    "external_id": None,
}
"""What is left of a person who is to be forgotten."""


class Contact(AggregateRoot, Base):
    """A person. `status`: live, merged or erased.

    `emails`: {address, is_primary}; `phones`: {number in E.164, is_primary}; at most one of each is primary.
    """

    __tablename__ = "contacts"
    AGGREGATE = "contact"

    given_name: Mapped[str | None]
    family_name: Mapped[str | None]
    folded_name: Mapped[str]
    account_id: Mapped[uuid.UUID | None]
    status: Mapped[str]
    merged_into_id: Mapped[uuid.UUID | None]
    title: Mapped[str | None]
    owner_id: Mapped[uuid.UUID | None]
    emails: Mapped[list[dict[str, Any]]]
    phones: Mapped[list[dict[str, Any]]]
    address: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    language: Mapped[str | None]
    time_zone: Mapped[str | None]
    preferred_channel: Mapped[str | None]
    do_not_call: Mapped[bool]
    external_id: Mapped[str | None]

    @classmethod
    def create(cls, values: Mapping[str, Any], *, origin: str, now: datetime) -> Self:
        """A new live contact with `values` (fields by name). Raises NameNeeded."""
        contact = cls(status="live", **{"emails": [], "phones": [], "do_not_call": False, **values})
        contact._name()
        contact.record(ContactCreated(**contact._state(origin, now)))
        return contact

    def edit(self, changes: Mapping[str, Any], *, origin: str, now: datetime) -> bool:
        """Apply `changes`; False when nothing differs. Raises ContactNotLive, NameNeeded."""
        self.require_live()
        changed = [name for name, value in changes.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, changes[name])
        if changed:
            self._name()
            self.record(ContactChanged(**self._state(origin, now), changed_fields=changed))
        return bool(changed)

    def require_live(self) -> None:
        """Raise ContactNotLive unless it is."""
        if self.status != "live":
            raise ContactNotLive(f"The contact is {self.status}.")

    def erase(self, lead_ids: Sequence[uuid.UUID], now: datetime) -> None:
        """Blank what says who this is, for good. `lead_ids`: the leads it came from. Told again where it was told
        before: a service that was restored from an older backup must be able to hear it."""
        self.status = "erased"
        for name, value in _ERASED.items():
            setattr(self, name, value)
        self._name()
        self.record(ContactErased(**self._state("user", now), lead_ids=list(lead_ids), erased_at=now))

    def _name(self) -> None:
        if self.given_name is None and self.family_name is None:
            raise NameNeeded.field("/family_name", "A given name or a family name is expected.")
        self.folded_name = fold_person(self.given_name, self.family_name)

    def _state(self, origin: str, now: datetime) -> dict[str, Any]:
        return {
            "contact_id": self.id,
            "account_id": self.account_id,
            "status": self.status,
            "merged_into_id": self.merged_into_id,
            "given_name": self.given_name,
            "family_name": self.family_name,
            "title": self.title,
            "owner_id": self.owner_id,
            "emails": self.emails,
            "phones": self.phones,
            "address": self.address,
            "language": self.language,
            "time_zone": self.time_zone,
            "preferred_channel": self.preferred_channel,
            "do_not_call": self.do_not_call,
            "origin": origin,
            "effective_at": now,
        }
