"""What sales tells us that concerns cases."""

from __future__ import annotations

from services.support.cases.schemas import ErasedContact
from services.support.cases.use_cases import erase_cases_of
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]


@handles("crm.sales.contact.erased.v1", reads=ErasedContact)
def erase_cases_when_contact_erased(fact: Fact, uow: UnitOfWork) -> None:
    """A person asked to be forgotten."""
    erase_cases_of(fact.data["contact_id"], uow)


HANDLERS = (erase_cases_when_contact_erased,)
