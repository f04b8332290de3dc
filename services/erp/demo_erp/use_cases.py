"""What the demo ERP does when it is asked, and what it does by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from services.erp.demo_erp.errors import DemoRefusal
from services.erp.demo_erp.model import DemoDocument, DemoScript, Effects
from services.erp.demo_erp.reckoning import reckon
from services.erp.demo_erp.repository import DemoTables
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import NotFound

__all__ = [
    "add_script",
    "advance_due_documents",
    "changes_since",
    "create_document",
    "decide_document",
    "describe",
    "effects_on",
    "facts_of",
    "find_documents",
    "forget_script",
    "is_down",
]

BATCH = 50
PAGE = 200


def add_script(values: Mapping[str, Any], uow: UnitOfWork) -> DemoScript:
    """Tell the ERP how to behave."""
    with uow:
        script = DemoScript(**values, down_until=None)
        DemoTables(uow.session).add(script)
        return script


def forget_script(script_id: int, uow: UnitOfWork) -> None:
    """Take a script back. Raises NotFound."""
    with uow:
        tables = DemoTables(uow.session)
        script = tables.script(script_id)
        if script is None:
            raise NotFound(f"There is no script {script_id}.")
        tables.delete(script)


def effects_on(step: str, order: Mapping[str, Any], uow: UnitOfWork) -> Effects:
    """The scripts that apply to a request on `step` about `order`, each used up once: parameters by action."""
    with uow:
        effects: dict[str, Mapping[str, Any]] = {}
        for script in DemoTables(uow.session).scripts(step, order):
            if script.action in effects or not script.fits(order):
                continue
            effects[script.action] = script.parameters
            if script.remaining is not None:
                script.remaining -= 1
            if script.action == "down":
                script.down_until = uow.clock.now() + timedelta(seconds=float(script.parameters["seconds"]))
        return effects


def is_down(uow: UnitOfWork) -> bool:
    """Whether a script keeps the ERP from being reached."""
    with uow:
        until = DemoTables(uow.session).down_until()
        return until is not None and uow.clock.now() < until


def find_documents(reference: str, uow: UnitOfWork) -> list[dict[str, Any]]:
    """The live documents that bear `reference`."""
    with uow:
        return [document.snapshot() for document in DemoTables(uow.session).live(reference)]


def create_document(order: Mapping[str, Any], effects: Effects, uow: UnitOfWork) -> dict[str, Any]:
    """Make a quotation. Raises DemoRefusal."""
    with uow:
        tables = DemoTables(uow.session)
        customer = tables.customer(order["account"]["id"], order["account"]["name"])
        document = DemoDocument.quote(order, customer, effects, uow.clock.now())
        tables.add(document)
        return document.snapshot()


def describe(order: Mapping[str, Any]) -> dict[str, Any]:
    """What scripts look at in an order that is to be created."""
    try:
        gross = reckon(order["lines"], order["currency"])[2]
    except ValueError:  # a tax code that this ERP does not know: the request itself will be refused
        gross = Decimal(0)
    return {
        "reference": order["reference"],
        "number": order["number"],
        "customer": order["account"]["name"],
        "skus": [line["sku"] for line in order["lines"]],
        "gross": gross,
    }


def facts_of(document_id: int, uow: UnitOfWork) -> dict[str, Any]:
    """What scripts look at in a document. Raises DemoRefusal."""
    with uow:
        return _get(document_id, DemoTables(uow.session)).facts


def decide_document(
    document_id: int, step: str, effects: Effects, pause: timedelta, uow: UnitOfWork
) -> dict[str, Any]:
    """`confirm` or `cancel` a document. Raises DemoRefusal."""
    with uow:
        tables = DemoTables(uow.session)
        document = _get(document_id, tables)
        before = document.revision
        if step == "confirm":
            document.confirm(effects, pause, uow.clock.now())
        else:
            document.cancel(effects, uow.clock.now())
        if document.revision != before:
            _tell(document, tables)
        return document.snapshot()


def changes_since(seq: int, uow: UnitOfWork) -> tuple[list[dict[str, Any]], int]:
    """A page of the feed and where it goes on."""
    with uow:
        changes = DemoTables(uow.session).changes_after(seq, PAGE)
        return [change.snapshot for change in changes], changes[-1].seq if changes else seq


def advance_due_documents(pause: timedelta, uow: UnitOfWork) -> int:
    """Ship, invoice and get paid what is due now; how many documents moved."""
    with uow:
        tables = DemoTables(uow.session)
        due = tables.due(uow.clock.now(), BATCH)
        for document in due:
            before = document.revision
            document.advance(pause, uow.clock.now())
            if document.revision != before:
                _tell(document, tables)
        return len(due)


def _get(document_id: int, tables: DemoTables) -> DemoDocument:
    document = tables.document(document_id)
    if document is None:
        raise DemoRefusal("no_such_document", f"There is no document {document_id}")
    return document


def _tell(document: DemoDocument, tables: DemoTables) -> None:
    """Append the change to the feed: twice, or behind the next one, where a script says so."""
    snapshots = [document.snapshot()] * (2 if "answer_twice" in document.feed else 1)
    held = document.feed.get("held")
    if held is not None:
        snapshots = [*snapshots, *held]
        document.feed = {name: value for name, value in document.feed.items() if name != "held"}
    elif "out_of_order" in document.feed and document.next_at is not None:
        document.feed = {**document.feed, "held": snapshots}
        return
    tables.append_changes(document, snapshots)
