"""Facts about the company."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from shared.kernel.events import Event

__all__ = ["OrganisationChanged"]


@dataclass(frozen=True)
class OrganisationChanged(Event):
    """The company's name, base currency, zone or fiscal year changed."""

    TYPE = "crm.identity.organisation.changed.v1"

    organisation_id: uuid.UUID
    name: str
    base_currency: str
    company_zone: str
    fiscal_year_start_month: int
