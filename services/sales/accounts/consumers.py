"""What other services say about accounts."""

from __future__ import annotations

from services.sales.accounts.schemas import LinkedCustomer
from services.sales.accounts.use_cases import link_account_to_erp
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]


@handles("crm.erp.customer.linked.v1", reads=LinkedCustomer)
def keep_erp_number_when_customer_linked(fact: Fact, uow: UnitOfWork) -> None:
    """The ERP's number of the customer, which people use where it differs from the ERP's id."""
    data = fact.data
    link_account_to_erp(data["account_id"], data["erp_number"] or data["erp_customer_id"], uow)


HANDLERS = (keep_erp_number_when_customer_linked,)
