"""Facts about contacts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.kernel.events import Event

__all__ = ["ContactChanged", "ContactCreated", "ContactErased", "ContactState"]


@dataclass(frozen=True)
class ContactState(Event):
    """The whole contact: a consumer never has to ask back."""

    contact_id: uuid.UUID
    account_id: uuid.UUID | None
    status: str
    merged_into_id: uuid.UUID | None
    given_name: str | None
    family_name: str | None
    title: str | None
    owner_id: uuid.UUID | None
    emails: list[dict[str, Any]]
    phones: list[dict[str, Any]]
    address: dict[str, Any] | None
    language: str | None
    time_zone: str | None
    preferred_channel: str | None
    do_not_call: bool
    origin: str
    effective_at: datetime


@dataclass(frozen=True)
class ContactCreated(ContactState):
    TYPE = "crm.sales.contact.created.v1"


@dataclass(frozen=True)
class ContactChanged(ContactState):
    TYPE = "crm.sales.contact.changed.v1"

    changed_fields: list[str]


@dataclass(frozen=True)
class ContactErased(ContactState):
    """Whoever keeps something of the person blanks it on hearing this. `lead_ids`: the leads it came from."""

    TYPE = "crm.sales.contact.erased.v1"

    lead_ids: list[uuid.UUID]
    erased_at: datetime
