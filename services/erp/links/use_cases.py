"""What happens to links: orders come, cancellations come, people decide, foreign systems answer.

Calls to the ERP are outside commands with the order's id as key, so those of one order run one after another.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from services.erp.links.errors import AnswerDiffers
from services.erp.links.model import InboundAnswer, Link
from services.erp.links.repository import Links
from shared.db.locks import hold
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import current_cause
from shared.kernel.ids import new_id

__all__ = [
    "CANCEL",
    "CONFIRM",
    "CREATE",
    "REFRESH",
    "cancel_order",
    "give_answer",
    "reject_order",
    "resend_order",
    "resume_orders",
    "take_erp_figures",
    "take_order",
]

CREATE = "erp.create"
CONFIRM = "erp.confirm"
CANCEL = "erp.cancel"
REFRESH = "erp.refresh"


def take_order(order: Mapping[str, Any], event_id: str, uow: UnitOfWork) -> None:
    """Queue a submitted order for the ERP, or a correction of one that was rejected; a repeat changes nothing.

    Raises OtherContent, IllegalState.
    """
    with uow:
        links = Links(uow.session)
        link = links.find(uuid.UUID(order["order_id"]), lock=True)
        if link is None:
            link = links.add(Link.take(order, event_id))
        elif not link.submit_again(order, event_id):
            return
        uow.commands.add(CREATE, str(link.id), {})


def cancel_order(
    order: Mapping[str, Any], request_no: int, reason: str, event_id: str, uow: UnitOfWork
) -> None:
    """Cancel an order: at once where no call was made, otherwise the ERP is asked after the running step."""
    with uow:
        links = Links(uow.session)
        link = links.find(uuid.UUID(order["order_id"]), lock=True)
        if link is None:
            links.add(Link.take_cancelled(order, request_no, reason, event_id, uow.clock.now()))
        elif link.ask_cancellation(request_no, reason, event_id, uow.clock.now()):
            uow.commands.add(CANCEL, str(link.id), {})


def resume_orders(kind: str, uow: UnitOfWork) -> None:
    """Queue the orders again that a missing code of `kind` held up."""
    with uow:
        for link in Links(uow.session).held_up_by(kind):
            link.resume()
            uow.commands.add(CREATE, str(link.id), {})


def resend_order(order_id: uuid.UUID, reason: str, uow: UnitOfWork, *, expected_version: int) -> Link:
    """Start again with a rejected or blocked order; the log of its calls keeps the reason.

    Raises NotFound, Stale, IllegalState.
    """
    with uow:
        links = Links(uow.session)
        link = links.get(order_id, expected_version=expected_version)
        link.resend()
        links.keep_exchange(
            id=new_id(),
            order_id=order_id,
            step="resend",
            request={"reason": reason, "actor_id": current_cause().actor_id},
            started_at=uow.clock.now(),
            answer="ok",
        )
        uow.commands.add(CREATE, str(order_id), {})
        return link


def take_erp_figures(order_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int) -> Link:
    """Confirm an order with the ERP's totals. Raises NotFound, Stale, IllegalState, NotBlockedByTotals."""
    with uow:
        link = Links(uow.session).get(order_id, expected_version=expected_version)
        link.take_erp_figures()
        uow.commands.add(CONFIRM, str(order_id), {})
        return link


def reject_order(order_id: uuid.UUID, reason: str, uow: UnitOfWork, *, expected_version: int) -> Link:
    """Give a blocked order up; a document that is there already is cancelled. Raises NotFound, Stale, IllegalState."""
    with uow:
        link = Links(uow.session).get(order_id, expected_version=expected_version)
        link.reject(reason, uow.clock.now())
        if link.erp_id is not None:
            uow.commands.add(CANCEL, str(order_id), {})
        return link


def give_answer(
    answer_id: str,
    kind: str,
    order_id: uuid.UUID,
    body_hash: str,
    apply: Callable[[Link], None],
    uow: UnitOfWork,
) -> tuple[Link, bool]:
    """Apply an answer of a foreign ERP once: the link, and whether the answer was known already.

    Raises NotFound, AnswerDiffers, and what `apply` raises: nothing is kept then and the answer may come again.
    """
    with uow:
        # An id names one answer, even when two requests bring it at the same moment.
        hold(uow.session, f"answer {answer_id}")
        links = Links(uow.session)
        link = links.get(order_id, lock=True)
        known = links.answer(answer_id)
        if known is not None:
            if known.body_hash != body_hash:
                raise AnswerDiffers("Give every answer an id of its own.")
            return link, True
        apply(link)
        uow.session.add(
            InboundAnswer(
                id=answer_id, order_id=order_id, type=kind, body_hash=body_hash, received_at=uow.clock.now()
            )
        )
        return link, False
