"""What came of the deals and of every fact, read from the databases themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import psycopg

from deploy.local.demo_flow import Deal
from deploy.local.suite import LocalSuite
from shared.contracts.catalog import Catalog
from shared.messaging.bus_process import open_transport
from shared.settings import Settings
from tests.faults.checker import Verdict
from tests.faults.rolling.next_version import UNTOLD

__all__ = ["compare", "pairs", "settle"]

PATIENCE = 60.0
"""Seconds after the last request within which everything must have had its effect."""

_ASSETS = 3
_TOLD = "SELECT event_id::text FROM outbox"
_ARCHIVED = "SELECT event_id::text FROM archive WHERE state = 'stored'"
_LETTERS = "SELECT event_type, last_error FROM inbox WHERE state = 'dead'"
_WAITING = (
    "SELECT 'to be sent', count(*) FROM outbox WHERE published_at IS NULL UNION ALL"
    " SELECT 'to be handled', count(*) FROM inbox WHERE state = 'ready' UNION ALL"
    " SELECT 'calls to the outside', count(*) FROM outside_commands WHERE state <> 'done'"
)
# Every effect of a won deal: which service keeps it, what, how many of it, and for which deal or order.
_EFFECTS = (
    ("sales", "orders", 1, "SELECT opportunity_id::text FROM orders WHERE state = 'acknowledged'"),
    (
        "sales",
        "paid orders",
        1,
        "SELECT opportunity_id::text FROM orders WHERE gross_total > 0 AND paid_total = gross_total",
    ),
    ("support", "contracts", 1, "SELECT opportunity_id::text FROM contracts WHERE state = 'active'"),
    ("support", "assets", _ASSETS, "SELECT opportunity_id::text FROM assets"),
    ("fieldservice", "work orders", 1, "SELECT opportunity_id::text FROM work_orders"),
    (
        "analytics",
        "booked orders",
        1,
        "SELECT opportunity_id::text FROM order_versions WHERE valid_to = 'infinity' AND billing = 'paid'",
    ),
    (
        "analytics",
        "won deals",
        1,
        "SELECT opportunity_id::text FROM opportunity_versions WHERE valid_to = 'infinity' AND status = 'won'",
    ),
)
_ORDERS = "SELECT id::text, opportunity_id::text FROM orders"
_DOCUMENTS = "SELECT reference FROM demo_documents WHERE state = 'confirmed'"
_DISORDER = """
SELECT DISTINCT source || ' ' || aggregate_id FROM (
    SELECT source, aggregate_id, aggregate_version, lag(aggregate_version)
        OVER (PARTITION BY source, aggregate_type, aggregate_id ORDER BY position) AS before
    FROM archive WHERE state = 'stored') AS told
WHERE aggregate_version <> coalesce(before, 0) + 1
"""
_CHANNEL_TOLD = """
SELECT aggregate_id, convert_from(payload, 'UTF8')::jsonb ? 'channel' FROM outbox
WHERE event_type = 'crm.sales.opportunity.won.v1'
"""
_CHANNEL_KEPT = "SELECT opportunity_id::text, channel FROM contracts WHERE opportunity_id IS NOT NULL"


def settle(suite: LocalSuite, sold: Sequence[Deal]) -> tuple[Verdict, float]:
    """The verdict once nothing is on its way any more, and after how many seconds that was; at the end of the
    patience, what is missing is lost."""
    began = time.monotonic()
    while True:
        waiting = _on_its_way(suite)
        verdict = _judge(suite, sold)
        seconds = time.monotonic() - began
        if seconds > PATIENCE:
            verdict.lost += waiting
        elif waiting or verdict.lost:
            time.sleep(0.5)
            continue
        verdict.repeats = _sent_twice(suite)
        return verdict, seconds


def pairs(suite: LocalSuite) -> Counter[tuple[str, str]]:
    """How many won deals were told by which version and heard by which: ("new", "old") is a fact of the next version
    that this one's process made a contract of. Both databases must be at the next version."""
    told = dict(_rows(suite, "sales", _CHANNEL_TOLD))
    counted: Counter[tuple[str, str]] = Counter()
    for deal, kept in _rows(suite, "support", _CHANNEL_KEPT):
        if kept is None:
            counted["new" if told[deal] else "old", "old"] += 1
        else:
            # A contract of the next version keeps exactly what its fact told.
            assert kept == ("quote" if told[deal] else UNTOLD), (deal, kept)
            counted["new" if told[deal] else "old", "new"] += 1
    return counted


def _judge(suite: LocalSuite, sold: Sequence[Deal]) -> Verdict:
    verdict = Verdict(acknowledged=len(sold))
    deals = {deal.opportunity_id for deal in sold}
    for service, what, wanted, question in _EFFECTS:
        made = Counter(deal for (deal,) in _rows(suite, service, question))
        compare(verdict, deals, made, f"{what} in {service}", wanted)
    deal_of = dict(_rows(suite, "sales", _ORDERS))
    documents = Counter(
        deal_of.get(reference, f"order {reference}") for (reference,) in _rows(suite, "erp", _DOCUMENTS)
    )
    compare(verdict, deals, documents, "documents in erp", 1)
    told = {event for service in suite.services for (event,) in _rows(suite, service, _TOLD)}
    archived = Counter(event for (event,) in _rows(suite, "analytics", _ARCHIVED))
    compare(verdict, told, archived, "archived", 1)
    verdict.facts = len(told)
    verdict.disorder = [f"{key}: archived out of order" for (key,) in _rows(suite, "analytics", _DISORDER)]
    verdict.lost += [
        f"{service} gave up {event_type}: {error}"
        for service in suite.services
        for event_type, error in _rows(suite, service, _LETTERS)
    ]
    return verdict


def compare(verdict: Verdict, keys: set[str], made: Counter[str], what: str, wanted: int) -> None:
    """Of each of `keys` there must be `wanted`, and none of anything else; `made` counts what is there."""
    verdict.lost += [f"{key}: {made[key]} {what}, not {wanted}" for key in keys if made[key] < wanted]
    verdict.doubles += [f"{key}: {made[key]} {what}, not {wanted}" for key in keys if made[key] > wanted]
    verdict.ghosts += [f"{key}: {what}, and nobody was told of it" for key in made.keys() - keys]


def _sent_twice(suite: LocalSuite) -> int:
    """How many records the bus holds more than once."""
    settings = Settings.from_env("sales", suite.environment("sales", "bus"))
    transport = open_transport(settings)
    ids = [record.headers["ce_id"] for topic in Catalog.load().topics for record in transport.read(topic)]
    return len(ids) - len(set(ids))


def _on_its_way(suite: LocalSuite) -> list[str]:
    return [
        f"{service}: {count} {what}"
        for service in suite.services
        for what, count in _rows(suite, service, _WAITING)
        if count
    ]


def _rows(suite: LocalSuite, service: str, question: str) -> list[Any]:
    with psycopg.connect(suite.database_url(service)) as database:
        return database.execute(question.encode()).fetchall()
