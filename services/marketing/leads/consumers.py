"""What sales and identity tell us that concerns leads."""

from __future__ import annotations

from services.marketing.leads.schemas import (
    AcceptedLead,
    ErasedContact,
    ErasedLead,
    LeavingUser,
    ReturnedLead,
)
from services.marketing.leads.use_cases import erase_person_of
from services.marketing.processes import lead_handover
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]


@handles("crm.sales.lead.accepted.v1", reads=AcceptedLead)
def convert_lead_when_sales_accepted(fact: Fact, uow: UnitOfWork) -> None:
    """Sales took the lead over."""
    lead_handover.convert_lead(uow=uow, **fact.data)


@handles("crm.sales.lead.returned.v1", reads=ReturnedLead)
def recycle_lead_when_sales_returned(fact: Fact, uow: UnitOfWork) -> None:
    """Sales gave the lead back, with a reason."""
    lead_handover.take_back_lead(uow=uow, **fact.data)


@handles("crm.identity.user.deactivated.v1", reads=LeavingUser)
def pass_leads_on_when_user_deactivated(fact: Fact, uow: UnitOfWork) -> None:
    """Somebody left: others answer for his leads."""
    lead_handover.pass_on_leads_of(fact.data["user_id"], uow)


@handles("crm.sales.contact.erased.v1", reads=ErasedContact)
def erase_leads_when_contact_erased(fact: Fact, uow: UnitOfWork) -> None:
    """A person asked to be forgotten."""
    for lead_id in fact.data["lead_ids"]:
        erase_person_of(lead_id, uow)


@handles("crm.sales.lead.erased.v1", reads=ErasedLead)
def forget_answers_when_sales_erased_lead(fact: Fact, uow: UnitOfWork) -> None:
    """Nothing here to blank; but having heard it, the inbox forgets what sales answered about the person."""


HANDLERS = (
    convert_lead_when_sales_accepted,
    recycle_lead_when_sales_returned,
    pass_leads_on_when_user_deactivated,
    erase_leads_when_contact_erased,
    forget_answers_when_sales_erased_lead,
)
