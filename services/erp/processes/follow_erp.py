"""Follow the ERP: what ships, is invoiced, paid or cancelled there becomes facts here.

An entry of the feed is a snapshot of a document. It may come twice, late or out of order: the link takes from it
only what it has not told yet, and the cursor moves after all entries of a page were taken.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from services.erp.erp_document import ErpDocument
from services.erp.feeds.model import ORDERS
from services.erp.feeds.repository import Feeds
from services.erp.links.repository import Links
from services.erp.port import Changes, ErpPort, Ok
from shared.kernel.cause import Cause, caused_by
from shared.kernel.errors import DomainError
from shared.messaging.loop import Loop
from shared.service import Runtime

__all__ = ["FollowErp"]

log = logging.getLogger(__name__)

CALLS_KEPT = timedelta(days=90)
TIDY_EVERY = timedelta(hours=1)


class FollowErp(Loop):
    """Asks the port every `seconds` what has changed, or at once when it is woken."""

    def __init__(self, runtime: Runtime, port: ErpPort, seconds: float) -> None:
        super().__init__("follow erp", interval=seconds)
        self._runtime = runtime
        self._port = port
        self._tidied_at = runtime.clock.now()

    def step(self) -> bool:
        with self._runtime.unit_of_work() as uow:
            cursor = Feeds(uow.session).cursor(ORDERS)
        answer = self._port.changes_since(cursor)
        if not isinstance(answer, Ok):
            log.warning("the ERP's changes cannot be read", extra={"answer": str(answer)})
            return False
        changes: Changes = answer.value
        for document in changes.documents:
            self._take(document)
        if changes.documents:
            with self._runtime.unit_of_work() as uow:
                Feeds(uow.session).move(ORDERS, cursor, changes.cursor, self._runtime.clock.now())
        self._tidy()
        return bool(changes.documents)

    def _take(self, document: ErpDocument) -> None:
        """Facts that follow from a snapshot belong to the chain of the order's last request."""
        with self._runtime.unit_of_work() as uow:
            link = Links(uow.session).of_document(document.reference, document.id)
            if link is None:
                return
            cause = Cause(
                link.root_correlation_id, "system:erp", "follow_erp", causation_id=link.asked_event_id
            )
            try:
                with caused_by(cause), uow.savepoint():
                    link.follow(document)
            except DomainError as error:
                # The next snapshot of the document carries all that this one does.
                log.error(
                    "a change in the ERP contradicts the order",
                    extra={
                        "order_id": document.reference,
                        "erp_number": document.number,
                        "error": str(error),
                    },
                )

    def _tidy(self) -> None:
        now = self._runtime.clock.now()
        if now - self._tidied_at >= TIDY_EVERY:
            with self._runtime.unit_of_work() as uow:
                Links(uow.session).forget_exchanges(now - CALLS_KEPT)
            self._tidied_at = now
