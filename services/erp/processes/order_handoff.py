"""The handoff: an order of ours becomes exactly one document of the ERP, is confirmed, or is cancelled again.

    1  commit that a call is about to be made, and what a document must look like to be this order
    2  look for the order's id: found and equal is adopted, found and different is blocked
    3  create
    4  outcome unknown: wait until no create can still be under way, then go on with 2

The port is called with no transaction open. What was begun and never answered (a crash) counts as unknown. Where
the ERP does not keep references unique, an advisory lock keeps a second process out between 2 and 3.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.erp.canonical_order import ErpOrder, UnmappedCode, translate_order
from services.erp.customers.use_cases import link_customer
from services.erp.erp_document import QUOTATION, ErpDocument
from services.erp.links.model import TOTALS_DIFFER, UNMAPPED, Link
from services.erp.links.repository import Links
from services.erp.links.use_cases import CANCEL, CONFIRM, CREATE, REFRESH, resume_orders
from services.erp.mappings.queries import translations
from services.erp.mappings.repository import MappingTables
from services.erp.port import Answer, ErpPort, NotReached, Ok, Refused, Unknown
from shared.company import company
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.ids import new_id
from shared.messaging.commands import Command
from shared.messaging.timers import Timer
from shared.service import Runtime

__all__ = ["Handoff", "resume_blocked_orders"]

LONGEST_PAUSE = 30.0

_TRY_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended(:order_id, 0))")
_UNLOCK = text("SELECT pg_advisory_unlock(hashtextextended(:order_id, 0))")


@dataclass(frozen=True, slots=True)
class _Wait:
    """Not now: go on at `until`."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class _Blocked:
    """Somebody has to help."""

    reason: str
    detail: Mapping[str, Any]


_Result = Answer | _Wait | _Blocked | None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a step came to; None where its time had passed. `document`: as it was found before the step;
    `content_hash`: what a document has to be to be our order; `calls`: rows for the log."""

    result: _Result
    calls: tuple[dict[str, Any], ...] = ()
    document: ErpDocument | None = None
    content_hash: str | None = None


class Handoff:
    """Carries out the commands of orders. Without a port another system fetches the orders and answers by itself.

    `settle`: how long a create of unknown outcome may still take effect. `pause`: before the second try to reach an
    ERP that is away; it doubles up to 30 s, without end.
    """

    can_find = True

    def __init__(
        self, runtime: Runtime, port: ErpPort | None, *, settle: timedelta, pause: timedelta
    ) -> None:
        self._runtime = runtime
        self._clock = runtime.clock
        self._port = port
        self._settle = settle
        self._pause = pause

    def find(self, command: Command) -> _Outcome | None:
        """Nothing: a repeated command looks for itself, and only when no create can still be under way."""
        return None

    def perform(self, command: Command) -> _Outcome:
        """Take the step that the command asks for, where the order still wants it."""
        steps: dict[str, Callable[[ErpPort, uuid.UUID], _Outcome]] = {
            CREATE: self._create,
            CONFIRM: self._confirm,
            CANCEL: self._cancel,
            REFRESH: self._refresh,
        }
        order_id = uuid.UUID(command.key)
        if self._port is None:
            self._hand_over(order_id)
            return _Outcome(None)
        with self._alone(command.key) as alone:
            if not alone:
                return _Outcome(_Wait(self._clock.now() + self._pause, "Another process is at work on it"))
            return steps[command.kind](self._port, order_id)

    # -- the steps: no transaction is open while the ERP is asked ---------------------------------------------------

    def _create(self, port: ErpPort, order_id: uuid.UUID) -> _Outcome:
        order = self._begin_creation(port, order_id)
        if not isinstance(order, ErpOrder):
            return _Outcome(order)
        found = self._find(port, order_id)
        if found.result is None and found.document is None:
            request = {"content_hash": order.content_hash, "lines": len(order.lines)}
            created = self._call(order_id, "create", request, lambda: port.create(order))
            return _Outcome(created.result, (*found.calls, *created.calls), None, order.content_hash)
        return _Outcome(found.result or Ok(found.document), found.calls, None, order.content_hash)

    def _confirm(self, port: ErpPort, order_id: uuid.UUID) -> _Outcome:
        with self._runtime.unit_of_work() as uow:
            link = Links(uow.session).get(order_id)
        if link.state != "created":
            return _Outcome(None)
        found = self._find(port, order_id)
        document = found.document
        if found.result is not None:
            return found
        if document is None:
            return _Outcome(_Blocked("missing_in_erp", {"erp_id": link.erp_id}), found.calls)
        if document.state != QUOTATION:
            return _Outcome(Ok(document), found.calls, document)
        if not link.figures_agree(document):
            return _Outcome(_differing(link, document), found.calls, document)
        return self._advance(port, order_id, document, "confirm", found.calls)

    def _cancel(self, port: ErpPort, order_id: uuid.UUID) -> _Outcome:
        with self._runtime.unit_of_work() as uow:
            links = Links(uow.session)
            if links.get(order_id).state not in ("cancelling", "rejected"):
                return _Outcome(None)
            if (wait := self._unsettled(links, order_id)) is not None:
                return _Outcome(wait)
        found = self._find(port, order_id)
        if found.document is None:
            return _Outcome(found.result or Ok(None), found.calls)
        return self._advance(port, order_id, found.document, "cancel", found.calls)

    def _refresh(self, port: ErpPort, order_id: uuid.UUID) -> _Outcome:
        found = self._find(port, order_id)
        return _Outcome(found.result or Ok(found.document), found.calls)

    def _advance(
        self,
        port: ErpPort,
        order_id: uuid.UUID,
        document: ErpDocument,
        step: str,
        calls: tuple[dict[str, Any], ...],
    ) -> _Outcome:
        request = {"erp_id": document.id, "revision": document.revision}
        done = self._call(order_id, step, request, lambda: port.advance(document.id, step))
        return _Outcome(done.result, (*calls, *done.calls), document)

    def _hand_over(self, order_id: uuid.UUID) -> None:
        """From now on somebody else may have the order: a cancellation has to wait for their answer."""
        with self._runtime.unit_of_work() as uow:
            link = Links(uow.session).get(order_id, lock=True)
            if link.state == "queued":
                link.start_creation(None, None)

    def _begin_creation(self, port: ErpPort, order_id: uuid.UUID) -> ErpOrder | _Result:
        with self._runtime.unit_of_work() as uow:
            links = Links(uow.session)
            link = links.get(order_id, lock=True)
            if not link.is_in_creation:
                return None
            if (wait := self._unsettled(links, order_id)) is not None:
                link.doubt(wait.reason)
                return wait
            tables = translations(uow.session, company(uow.session).today(self._clock.now()))
            try:
                order = translate_order(link.order, tables, port.price_digits)
            except UnmappedCode as code:
                return _Blocked(UNMAPPED, {"kind": code.kind, "value": code.value})
            link.start_creation(order.content_hash, tables.version)
            return order

    def _unsettled(self, links: Links, order_id: uuid.UUID) -> _Wait | None:
        begun_at = links.open_creation(order_id)
        if begun_at is None or self._clock.now() >= begun_at + self._settle:
            return None
        return _Wait(begun_at + self._settle, "A create has no answer and may still take effect")

    def _find(self, port: ErpPort, order_id: uuid.UUID) -> _Outcome:
        """Look for the order: `document`, or in `result` why there is none to go on with."""
        answer = self._call(order_id, "find", {}, lambda: port.find_by_reference(str(order_id)))
        match answer.result:
            case Ok(document):
                return _Outcome(None, answer.calls, document)
            case Refused(code, words):
                return _Outcome(_Blocked(code, {"text": words}), answer.calls)
            case Unknown(reason):  # reading has no effect that could be in doubt
                return _Outcome(NotReached(reason), answer.calls)
            case other:
                return _Outcome(other, answer.calls)

    def _call(
        self, order_id: uuid.UUID, step: str, request: Mapping[str, Any], ask: Callable[[], Answer]
    ) -> _Outcome:
        """Ask the ERP. What changes something is in the log before it is asked, so that a crash leaves a trace."""
        call = {"id": new_id(), "order_id": order_id, "step": step, "request": dict(request)}
        call["started_at"] = begun = self._clock.now()
        if step != "find":
            with self._runtime.unit_of_work() as uow:
                Links(uow.session).keep_exchange(**call, answer=None, detail=None, duration_ms=None)
        answer = ask()
        words = {Ok: "ok", Refused: "refused", Unknown: "unknown", NotReached: "not_reached"}
        detail = {Refused: "{0.code}: {0.text}", Unknown: "{0.reason}", NotReached: "{0.reason}"}.get(
            type(answer)
        )
        call |= {
            "answer": words[type(answer)],
            "detail": None if detail is None else detail.format(answer),
            "duration_ms": (self._clock.now() - begun) // timedelta(milliseconds=1),
        }
        return _Outcome(answer, (call,))

    @contextmanager
    def _alone(self, order_id: str) -> Iterator[bool]:
        """Keep other processes away from the order; False where one is there."""
        with self._runtime.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            if not connection.scalar(_TRY_LOCK, {"order_id": order_id}):
                yield False
                return
            try:
                yield True
            finally:
                connection.execute(_UNLOCK, {"order_id": order_id})

    # -- what came of it: one transaction, which also closes the command ----------------------------------------------

    def record(self, command: Command, outcome: _Outcome, uow: UnitOfWork) -> None:
        """Move the link, and ask for the next step."""
        with uow:
            links = Links(uow.session)
            for call in outcome.calls:
                links.keep_exchange(**call)
            link = links.get(uuid.UUID(command.key), lock=True)
            match outcome.result:
                case None:
                    pass
                case _Wait(until, reason):
                    link.last_error = reason
                    self._again(command, uow, until)
                case _Blocked(reason, detail):
                    link.block(reason, detail)
                case NotReached(reason):
                    link.last_error = reason
                    self._again(command, uow)
                case Unknown(reason):
                    link.doubt(reason)
                    begun_at = outcome.calls[-1]["started_at"]
                    self._again(command, uow, begun_at + self._settle if command.kind == CREATE else None)
                case answer:
                    self._take(command, link, answer, outcome, uow)

    def record_failure(self, command: Command, error: BaseException, uow: UnitOfWork) -> None:
        """Something is wrong on our side: a person has to look."""
        with uow:
            link = Links(uow.session).find(uuid.UUID(command.key), lock=True)
            if link is not None:
                link.block(
                    "internal_error",
                    {"kind": command.kind, "error": f"{type(error).__name__}: {error}"[:500]},
                )

    def _again(self, command: Command, uow: UnitOfWork, until: datetime | None = None) -> None:
        tries = command.payload.get("tries", 0)
        pause = min(LONGEST_PAUSE, self._pause.total_seconds() * 2 ** min(tries, 10))
        at = until or self._clock.now() + timedelta(seconds=pause)
        uow.commands.add(command.kind, command.key, {"tries": tries + 1}, not_before=at)

    def _take(
        self, command: Command, link: Link, answer: Ok | Refused, outcome: _Outcome, uow: UnitOfWork
    ) -> None:
        if isinstance(answer, Refused):
            self._take_refusal(command, link, answer, outcome.document, uow)
        elif command.kind == CREATE:
            self._take_document(link, answer.value, outcome.content_hash, uow)
        elif command.kind == CANCEL:
            self._take_cancellation(link, answer.value)
        elif answer.value is not None:
            link.follow(answer.value)
        if command.kind == CONFIRM and link.state == "rejected":  # what was made for it is left over
            uow.commands.add(CANCEL, command.key, {})

    def _take_refusal(
        self, command: Command, link: Link, refused: Refused, document: ErpDocument | None, uow: UnitOfWork
    ) -> None:
        if command.kind in (CREATE, CONFIRM):
            link.refuse(refused.code, refused.text, self._clock.now())
        elif link.state == "cancelling":
            link.keep(refused.code, refused.text, self._clock.now(), document)
            uow.commands.add(CONFIRM if link.state == "created" else REFRESH, command.key, {})
        else:
            link.last_error = f"{refused.code}: {refused.text}"

    def _take_document(
        self, link: Link, document: ErpDocument, content_hash: str | None, uow: UnitOfWork
    ) -> None:
        if document.content_hash != content_hash:
            link.block("reference_taken", {"erp_id": document.id, "erp_number": document.number})
            return
        link.adopt(document)
        link_customer(link.account_id, document.customer_id, document.customer_number, uow)
        if link.state != "created":
            return
        if link.figures_agree(document):
            uow.commands.add(CONFIRM, str(link.id), {})
        else:
            differing = _differing(link, document)
            link.block(differing.reason, differing.detail)

    def _take_cancellation(self, link: Link, document: ErpDocument | None) -> None:
        if link.state != "cancelling":
            return
        if document is None:
            link.cancelled("not_created", "It never became a document of the ERP", self._clock.now())
        else:
            link.cancelled(
                document.code or "cancelled_on_request",
                document.text or "Cancelled there",
                document.changed_at,
            )


def _differing(link: Link, document: ErpDocument) -> _Blocked:
    ours = (link.net_total, link.tax_total, link.gross_total)
    theirs = (document.net, document.tax, document.gross)
    names = ("net", "tax", "gross")
    return _Blocked(
        TOTALS_DIFFER,
        {
            "ours": {name: str(money.amount) for name, money in zip(names, ours, strict=True)},
            "theirs": {name: str(amount) for name, amount in zip(names, theirs, strict=True)},
        },
    )


def resume_blocked_orders(timer: Timer, uow: UnitOfWork) -> None:
    """A table of codes was edited: the orders that it held up try again."""
    with uow:
        resume_orders(MappingTables(uow.session).get(timer.owner_id).kind, uow)
