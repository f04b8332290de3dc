"""Requests a second of the web processes, each beside the raw server that does the least of the same.

Bus processes stand still meanwhile: the raw server has an outbox too, but nobody empties it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from bench.load import CLIENTS, Load, Request, compare
from bench.results import Row
from bench.samples import deal_bodies, deals, lead_bodies
from bench.suites import WEB_WORKERS, as_service, raw_server, running_suite
from deploy.local.client import SuiteClient
from deploy.local.suite import LocalSuite
from services.sales.opportunities.model import Moment, Opportunity
from services.sales.pipelines.repository import Pipelines
from shared.kernel.ids import new_id
from shared.kernel.money import Money
from shared.service import Runtime

__all__ = ["MEASURES", "fill", "listing", "measure", "new_deal_posts"]

ROUNDS = 5
SECONDS = 2.0
LISTED = 10_000
WINS_A_ROUND = 120
_FILTER = "stage=qualification&status=open"
_HELD = ("sales-bus", "marketing-bus")
# What a plain deal sells: one machine and one contract.
_SKUS = ("RC-500", "CARE-12")

Asked = Callable[[int], Iterator[Request]]


@dataclass(frozen=True)
class Arena:
    """A suite and the raw server side by side, with what the requests need."""

    suite: LocalSuite
    raw_port: int
    client: SuiteClient
    headers: Mapping[str, str]
    owner_id: str
    account_id: str

    def ours(self, service: str, requests: Asked) -> Load:
        """Requests to one of our services."""
        return Load(self.suite.ports.http(service), requests)

    def raw(self, requests: Asked) -> Load:
        """Requests to the raw server."""
        return Load(self.raw_port, requests)

    def new_deals(self, path: str) -> Asked:
        """New deals, sent to `path`."""
        return new_deal_posts(path, self.headers, self.owner_id, self.account_id)

    def new_leads(self, path: str) -> Asked:
        """New leads, sent to `path`."""
        return lambda client: _posts(path, self.headers, lead_bodies(client))

    def lists(self, path: str) -> Asked:
        """The same list of deals, again and again."""
        return listing(path, self.headers)


def listing(path: str, headers: Mapping[str, str]) -> Asked:
    """The same list of deals of `path`, again and again."""
    request = Request("GET", f"{path}?{_FILTER}", headers=headers)
    return lambda _: itertools.repeat(request)


def new_deal_posts(path: str, headers: Mapping[str, str], owner_id: str, account_id: str) -> Asked:
    """New deals without end, sent to `path`."""
    return lambda client: _posts(path, headers, deal_bodies(owner_id, account_id, client))


def _posts(path: str, headers: Mapping[str, str], bodies: Iterator[bytes]) -> Iterator[Request]:
    return (Request("POST", path, body, headers) for body in bodies)


def measure(names: Sequence[str]) -> Iterator[Row]:
    """Measure the rows with these names, one after the other."""
    with _arena() as arena:
        for name in names:
            goal, rounds = MEASURES[name]
            found = compare(rounds(arena), seconds=SECONDS)
            yield Row(name, found.ours, "/s", f">= {goal} of raw", found.raw, found.ratio)


def _create_opportunity(arena: Arena) -> Iterator[tuple[Load, Load]]:
    pair = (arena.ours("sales", arena.new_deals("/v1/opportunities")), _raw_create(arena))
    return itertools.repeat(pair, ROUNDS + 1)


def _create_lead(arena: Arena) -> Iterator[tuple[Load, Load]]:
    pair = (
        arena.ours("marketing", arena.new_leads("/v1/leads")),
        arena.raw(arena.new_leads("/leads")),
    )
    return itertools.repeat(pair, ROUNDS + 1)


def _list_opportunities(arena: Arena) -> Iterator[tuple[Load, Load]]:
    pair = (
        arena.ours("sales", arena.lists("/v1/opportunities")),
        arena.raw(arena.lists("/opportunities")),
    )
    return itertools.repeat(pair, ROUNDS + 1)


def _win_to_order(arena: Arena) -> Iterator[tuple[Load, Load]]:
    """Won deals with their orders against raw deals that are merely created."""
    ready = _winnable(arena, (ROUNDS + 1) * WINS_A_ROUND)
    for first in range(0, len(ready), WINS_A_ROUND):
        yield arena.ours("sales", _shares(ready[first : first + WINS_A_ROUND])), _raw_create(arena)


MEASURES: Mapping[str, tuple[float, Callable[[Arena], Iterator[tuple[Load, Load]]]]] = {
    "list_opportunities": (0.85, _list_opportunities),
    "create_opportunity": (0.7, _create_opportunity),
    "create_lead": (0.7, _create_lead),
    "win_to_order": (0.2, _win_to_order),
}
"""By name: which part of the raw rate is the goal, and what is asked round by round."""


def _raw_create(arena: Arena) -> Load:
    return arena.raw(arena.new_deals("/opportunities"))


def _shares(requests: Sequence[Request]) -> Asked:
    """Each client's share of requests that can be made once."""
    return lambda client: iter(requests[client::CLIENTS])


def _winnable(arena: Arena, count: int) -> list[Request]:
    """Requests to win `count` deals, each with an approved quote of two lines."""
    products = {row["sku"]: row["id"] for row in arena.client.items("sales", "/v1/products")}
    lines = [{"product_id": products[sku], "quantity": "1"} for sku in _SKUS]
    valid_until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    deal = {
        "name": "Palletising cell",
        "owner_id": arena.owner_id,
        "account_id": arena.account_id,
        "close_date": valid_until,
    }

    def prepare(_: int) -> Request:
        opportunity = arena.client.post("sales", "/v1/opportunities", deal)
        quote = {"opportunity_id": opportunity["id"], "valid_until": valid_until, "lines": lines}
        drafted = arena.client.post("sales", "/v1/quotes", {**quote, "term_months": 12})
        arena.client.change("sales", drafted, "submit")
        ready = arena.client.get("sales", f"/v1/opportunities/{opportunity['id']}")
        headers = {**arena.headers, "If-Match": str(ready.etag)}
        return Request("POST", f"/v1/opportunities/{opportunity['id']}/win", b"{}", headers)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(prepare, range(count)))


@contextmanager
def _arena() -> Iterator[Arena]:
    with ExitStack() as stack:
        suite = stack.enter_context(
            running_suite("throughput", "identity,sales,marketing", workers=WEB_WORKERS)
        )
        client = SuiteClient(suite)
        account = next(iter(client.items("sales", "/v1/accounts")))
        for process in _HELD:
            stack.enter_context(suite.held_down(process))
        with as_service(suite, "sales") as sales:
            fill(sales)
        raw_port = stack.enter_context(raw_server(suite, LISTED))
        headers = {"Authorization": f"Bearer {suite.token()}", "Content-Type": "application/json"}
        yield Arena(suite, raw_port, client, headers, account["owner_id"], account["id"])


def fill(sales: Runtime) -> None:
    """Store the deals that are listed. Nobody has to hear of them, so they are stored without facts."""
    session = sales.database.session()
    plan = Pipelines(session).active_plan()
    for each in deals(LISTED):
        columns: dict[str, Any] = each.columns()
        amount = Money(columns["amount"], columns["amount_currency"])
        named = ("id", "name", "owner_id", "stage", "close_date", "next_step")
        values = {name: columns[name] for name in named} | {"amount": amount}
        moment = Moment(each.created_at, "import", "system:bench")
        today = each.created_at.date()
        deal = Opportunity.create(values, plan, moment, base_amount=amount, today=today)
        deal.created_at = deal.updated_at = each.created_at
        deal.root_correlation_id = new_id()
        session.add(deal)
    session.commit()
    session.close()
    with sales.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE opportunities"))
