"""What sales tells us that concerns contracts."""

from __future__ import annotations

from services.support.contracts import use_cases
from services.support.contracts.schemas import AcknowledgedOrder, EndedOrder, ReopenedDeal, WonDeal
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]


@handles("crm.sales.opportunity.won.v1", reads=WonDeal)
def open_contract_when_opportunity_won(fact: Fact, uow: UnitOfWork) -> None:
    """A win opens a draft; imported history opens nothing."""
    deal = fact.data
    if deal["origin"] != "import":
        use_cases.open_contract(deal, deal["lines"], uow)


@handles("crm.sales.opportunity.reopened.v1", reads=ReopenedDeal)
def withdraw_contract_when_opportunity_reopened(fact: Fact, uow: UnitOfWork) -> None:
    """The deal is open again: its draft goes."""
    if fact.data["previous_status"] == "won":
        use_cases.withdraw_contract(fact.data["opportunity_id"], fact.data["reason"], uow)


@handles("crm.sales.order.acknowledged.v1", reads=AcknowledgedOrder)
def activate_contract_when_order_acknowledged(fact: Fact, uow: UnitOfWork) -> None:
    """The ERP took the order: the contract comes into force for what was confirmed."""
    confirmed = [line["line_id"] for line in fact.data["lines"] if line["confirmed"] > 0]
    use_cases.apply_order_fact(fact.data["order_id"], "acknowledged", {"confirmed": confirmed}, uow)


@handles("crm.sales.order.rejected.v1", "crm.sales.order.cancelled.v1", reads=EndedOrder)
def cancel_contract_when_order_ended(fact: Fact, uow: UnitOfWork) -> None:
    """The order will not be delivered: the draft goes, with the reason."""
    kind = "rejected" if ".rejected." in fact.type else "cancelled"
    reason = f"{fact.data['code']}: {fact.data['text']}"
    use_cases.apply_order_fact(fact.data["order_id"], kind, {"reason": reason}, uow)


HANDLERS = (
    open_contract_when_opportunity_won,
    withdraw_contract_when_opportunity_reopened,
    activate_contract_when_order_acknowledged,
    cancel_contract_when_order_ended,
)
