"""One screen that says whether the suite is well, and where to look when it is not."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.contracts.catalog import Catalog
from shared.observability.lookout import Health

__all__ = ["complaints", "show"]

PATIENCE_SECONDS = 60
"""The age from which a fact that waits is a complaint; the alerts use the same."""

_NEVER = "–"


def complaints(services: Sequence[Health]) -> list[str]:
    """What is not as it should be, a sentence each; none when all is well."""
    found = []
    for health in services:
        name = health.address.service
        for process, state in (("API", health.api), ("bus process", health.bus)):
            if state == "degraded":
                found.append(f"{name}: its {process} is degraded, these fail: {', '.join(health.failing)}.")
            elif state != "ready":
                found.append(f"{name}: its {process} is {state}.")
        if health.bus == "ready" and _reads(name) and health.count("crm_consumer_lag") is None:
            found.append(f"{name}: how far it has read is not known yet; look again in some seconds.")
        outbox_age = health.figures.get("crm_outbox_oldest_age_seconds", 0)
        if outbox_age > PATIENCE_SECONDS:
            found.append(f"{name}: a fact has waited {_age(outbox_age)} to be sent: crm outbox list {name}")
        inbox_age = health.figures.get("crm_inbox_oldest_age_seconds", 0)
        if inbox_age > PATIENCE_SECONDS:
            found.append(f"{name}: a fact has waited {_age(inbox_age)} to be handled.")
        if health.dead:
            found.append(f"{name}: {_some(health.dead, 'dead letter')}: crm dlq list {name}")
        blocked = health.count("crm_inbox_blocked_keys")
        if blocked:
            found.append(f"{name}: {_some(blocked, 'key')} blocked behind them.")
    return found


def _reads(service: str) -> bool:
    """Whether a service receives facts."""
    return bool(Catalog.load().subscriptions(service))


def show(services: Sequence[Health], console: Console) -> bool:
    """Print the screen; whether all is well."""
    table = Table(box=None, pad_edge=False)
    for column in ("service", "API", "bus"):
        table.add_column(column)
    for column in ("lag", "outbox", "oldest", "inbox", "oldest", "blocked", "dead"):
        table.add_column(column, justify="right")
    for health in services:
        table.add_row(
            health.address.service,
            _state(health.api),
            _state(health.bus),
            _count(health.count("crm_consumer_lag")),
            _count(health.pending),
            _age(health.figures.get("crm_outbox_oldest_age_seconds")),
            _count(health.waiting),
            _age(health.figures.get("crm_inbox_oldest_age_seconds")),
            _bad(health.count("crm_inbox_blocked_keys")),
            _bad(health.dead),
        )
    console.print(table)
    console.print(_erp(services))
    found = complaints(services)
    for complaint in found:
        console.print(complaint, style="red", markup=False)
    if not found:
        console.print("All is well.", style="green")
    return not found


def _erp(services: Sequence[Health]) -> str:
    """How the handoff to the ERP is: sales knows what waits, the connector what it is doing about it."""
    by_name = {health.address.service: health for health in services}
    sales, erp = by_name.get("sales"), by_name.get("erp")
    waiting = sales.count("crm_sales_orders_waiting") if sales else None
    longest = sales.figures.get("crm_sales_orders_longest_wait_seconds") if sales else None
    open_there = erp.count("crm_erp_orders_open") if erp else None
    calls = erp.count("crm_outside_commands") if erp else None
    since = f", the longest for {_age(longest)}" if longest else ""
    return (
        f"ERP: {_some(waiting, 'order')} waiting{since};"
        f" {open_there or 0} on the way in, {_some(calls, 'open call')}."
    )


def _state(state: str) -> Text:
    return Text(state, style="" if state == "ready" else "yellow" if state == "degraded" else "red")


def _some(number: int | None, noun: str) -> str:
    return f"{number or 0} {noun}{'' if number == 1 else 's'}"


def _count(value: int | None) -> str:
    return _NEVER if value is None else str(value)


def _bad(value: int | None) -> Text:
    return Text(_count(value), style="red" if value else "")


def _age(seconds: float | None) -> str:
    if seconds is None:
        return _NEVER
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h"
