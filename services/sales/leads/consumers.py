"""What marketing says about leads, as offers here."""

from __future__ import annotations

from services.sales.leads.schemas import MarketingLead, QualifiedLead
from services.sales.leads.use_cases import offer_lead, withdraw_lead
from services.sales.processes.erase_person import erase_lead
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]


@handles("crm.marketing.lead.qualified.v1", reads=QualifiedLead)
def offer_lead_when_qualified(fact: Fact, uow: UnitOfWork) -> None:
    """A lead is handed over, or to somebody else."""
    offer = dict(fact.data)
    lead_id, offered_at, origin = (offer.pop(name) for name in ("lead_id", "qualified_at", "origin"))
    offer_lead(lead_id, offer, offered_at, uow, watch=origin != "import")


@handles("crm.marketing.lead.recycled.v1", "crm.marketing.lead.disqualified.v1", reads=MarketingLead)
def withdraw_lead_when_marketing_takes_it_back(fact: Fact, uow: UnitOfWork) -> None:
    """The offer no longer stands."""
    withdraw_lead(fact.data["lead_id"], uow)


@handles("crm.marketing.lead.erased.v1", reads=MarketingLead)
def erase_lead_when_marketing_did(fact: Fact, uow: UnitOfWork) -> None:
    """A person asked to be forgotten."""
    erase_lead(fact.data["lead_id"], uow)


HANDLERS = (
    offer_lead_when_qualified,
    withdraw_lead_when_marketing_takes_it_back,
    erase_lead_when_marketing_did,
)
