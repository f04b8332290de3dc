"""Import accounts: matched by external id, parents before their children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.sales.accounts.model import MAX_DEPTH, Account
from services.sales.accounts.repository import Accounts
from services.sales.accounts.use_cases import check_parent
from services.sales.processes.import_rows import Apply, Outcome, Row, import_rows, noon
from shared.company import company
from shared.db.unit_of_work import UnitOfWork

__all__ = ["import_accounts"]

_PLAIN = "name kind owner_id industry employee_count annual_revenue website phone currency".split()


def import_accounts(rows: Sequence[Row], uow: UnitOfWork, dry_run: bool) -> list[Outcome]:
    """Create and change accounts; one whose parent is unknown is kept without it, with a warning."""
    return import_rows(_parents_first(rows), _prepare, uow, dry_run=dry_run)


def _parents_first(rows: Sequence[Row]) -> list[Row]:
    """Rows in an order in which a parent comes before its children; a ring of parents stays as it came."""
    waiting, placed = list(rows), []
    for _ in range(MAX_DEPTH):
        names = {row.external_id for row in waiting}
        ready = [row for row in waiting if row.values.get("parent_external_id") not in names]
        placed += ready
        waiting = [row for row in waiting if row.values.get("parent_external_id") in names]
    return placed + waiting


def _prepare(chunk: Sequence[Row], uow: UnitOfWork) -> Apply:
    accounts = Accounts(uow.session)
    names = {row.external_id for row in chunk}
    parents = {row.values.get("parent_external_id") for row in chunk} - {None}
    known = accounts.by_external_ids(names | parents)
    base_currency = company(uow.session).base_currency

    def apply(row: Row) -> Outcome:
        values, warning = _values(row.values, known)
        account = known.get(row.external_id)
        effective_at = noon(row.values.get("created_on"), uow)
        if values.get("parent_id") is not None:
            uow.session.flush()
            check_parent(accounts, account.id if account is not None else None, values["parent_id"])
        if account is None:
            values = {"currency": base_currency, "external_id": row.external_id, **values}
            account = accounts.add(Account.create(values, origin="import", now=effective_at))
            known[row.external_id] = account
            return Outcome.created(row, account.id, warning)
        changed = account.edit(values, origin="import", now=uow.clock.now())
        return Outcome.kept(row, account.id, changed=changed)

    return apply


def _values(row: Mapping[str, Any], known: Mapping[str, Account]) -> tuple[dict[str, Any], str | None]:
    values = {name: row[name] for name in _PLAIN if name in row}
    warning = None
    if row.get("country"):
        place = {
            "locality": None,
            "region": row.get("region"),
            "postal_code": None,
            "country": row["country"],
        }
        values["addresses"] = [
            {"type": "billing", "lines": [], **place, "is_primary": True, "verified": False}
        ]
    parent = row.get("parent_external_id")
    if parent is not None and parent in known:
        values["parent_id"] = known[parent].id
    elif parent is not None:
        warning = f"There is no account with the external id {parent}: it is kept without a parent."
    return values, warning
