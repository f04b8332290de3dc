"""What identity tells us that concerns technicians."""

from __future__ import annotations

from services.fieldservice.technicians import use_cases
from services.fieldservice.technicians.schemas import User
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import handles
from shared.messaging.envelope import Fact

__all__ = ["HANDLERS"]


@handles(
    "crm.identity.user.created.v1",
    "crm.identity.user.changed.v1",
    "crm.identity.user.deactivated.v1",
    reads=User,
)
def follow_user_when_user_changed(fact: Fact, uow: UnitOfWork) -> None:
    """Users with the role become technicians, users who leave get no more visits."""
    use_cases.follow_user(fact.data, fact.version, uow)


HANDLERS = (follow_user_when_user_changed,)
