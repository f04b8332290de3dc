"""Facts for tests, made from the contracts' examples, and a running analytics service to send them to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

import shared.contracts
from services.analytics.facts import PROJECTIONS
from services.analytics.processes.projecting import advance, catch_up
from services.analytics.projection import Projection
from services.analytics.projections import use_cases
from services.analytics.projections.repository import digest_of
from shared.contracts.catalog import Catalog
from shared.db.engine import libpq_url
from shared.kernel.ids import new_id
from shared.messaging.envelope import to_headers
from shared.messaging.transport import ReceivedRecord
from shared.testing.services import RunningService
from shared.testing.tokens import bearer

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


_LIMITED = ("kpi.read", "customer.read")


@cache
def _example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_bytes())
    return found


def example(name: str, /, **changes: Any) -> dict[str, Any]:
    """An example of the contracts, such as `sales/opportunity.won.v1/typical`, with some members replaced.
    Change no member in place: examples are read once."""
    return {**_example(name), **changes}


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Told:
    """A fact on its way."""

    type: str
    data: Mapping[str, Any]
    subject: str
    version: int = 1
    at: datetime = NOW
    id: uuid.UUID = field(default_factory=new_id)
    correlation_id: uuid.UUID = field(default_factory=new_id)

    def record(self, *, check: bool = True) -> ReceivedRecord:
        """The fact as the broker gives it. Raises ContractViolation, unless told not to look."""
        catalog = Catalog.load()
        if check:
            catalog.validator(self.type)(dict(self.data))
        headers = to_headers(
            event_id=self.id,
            source=f"/crm/{self.type.split('.')[1]}",
            event_type=self.type,
            subject=self.subject,
            time=self.at,
            dataschema=catalog.dataschema(self.type),
            key=self.subject,
            version=self.version,
            correlation_id=self.correlation_id,
            causation_id=None,
            actor_id="user:tests",
            data_class="none",
            traceparent=None,
        )
        topic = catalog.topic_of(self.type)
        return ReceivedRecord(topic, 0, 0, self.subject, headers, json.dumps(self.data).encode(), self.at)


@dataclass
class Deal:
    """An opportunity that tells its facts, one version after the other."""

    id: str = field(default_factory=lambda: str(new_id()))
    owner_id: str = field(default_factory=lambda: str(new_id()))
    account_id: str | None = field(default_factory=lambda: str(new_id()))
    amount: str | None = "1000.00"
    currency: str = "EUR"
    close_date: str = "2026-06-30"
    probability_bp: int = 5000
    lines: list[dict[str, Any]] = field(default_factory=list)
    origin: str = "user"
    version: int = 0

    def tell(self, past: str, at: datetime = NOW, **changes: Any) -> Told:
        """The next fact: created, stage_changed, changed, won, lost or reopened."""
        self.version += 1
        status = {"won": "won", "lost": "lost"}.get(past, "open")
        money = None if self.amount is None else {"amount": self.amount, "currency": self.currency}
        data = example(
            f"sales/opportunity.{past}.v1/typical",
            opportunity_id=self.id,
            status=status,
            owner_id=self.owner_id,
            account_id=self.account_id,
            amount=money,
            base_amount=money,
            probability_bp={"won": 10_000, "lost": 0}.get(past, self.probability_bp),
            close_date=self.close_date,
            lines=self.lines,
            origin=self.origin,
            effective_at=instant(at),
        )
        if past == "reopened":
            data["status"] = "open"
        told_at = NOW if self.origin == "import" else at
        return Told(f"crm.sales.opportunity.{past}.v1", {**data, **changes}, self.id, self.version, told_at)


def line(product_id: str, net: str) -> dict[str, Any]:
    first: dict[str, Any] = example("sales/opportunity.won.v1/typical")["lines"][0]
    return {**first, "line_id": str(new_id()), "product_id": product_id, "net": euros(net)}


def person(user_id: str, name: str, *, manager_id: str | None = None, team_ids: Iterable[str] = ()) -> Told:
    data = example(
        "identity/user.created.v1/typical",
        user_id=user_id,
        display_name=name,
        manager_id=manager_id,
        team_ids=list(team_ids),
    )
    return Told("crm.identity.user.created.v1", data, user_id)


def team(team_id: str, name: str) -> Told:
    data = example(
        "identity/team.changed.v1/typical", team_id=team_id, name=name, lead_id=None, member_ids=[]
    )
    return Told("crm.identity.team.changed.v1", data, team_id)


def product(product_id: str, name: str) -> Told:
    data = example("sales/product.changed.v1/typical", product_id=product_id, name=name)
    return Told("crm.sales.product.changed.v1", data, product_id)


def account(account_id: str, name: str, *, owner_id: str | None = None, sector: str | None = None) -> Told:
    data = example(
        "sales/account.created.v1/typical",
        account_id=account_id,
        name=name,
        owner_id=owner_id,
        industry=sector,
    )
    return Told("crm.sales.account.created.v1", data, account_id)


def order(order_id: str, past: str, version: int, at: datetime, **changes: Any) -> Told:
    data = example(f"sales/order.{past}.v1/typical", order_id=order_id, effective_at=instant(at), **changes)
    return Told(f"crm.sales.order.{past}.v1", data, order_id, version, at)


@dataclass(frozen=True)
class Analytics:
    """The running service."""

    service: RunningService

    def archive(self, *told: Told) -> int:
        """Let facts arrive in one batch; how many were new."""
        return self.arrive([fact.record() for fact in told])

    def arrive(self, records: list[ReceivedRecord], at: datetime | None = None) -> int:
        """Let records arrive in one batch; how many were new."""
        runtime = self.service.runtime
        with psycopg.connect(libpq_url(runtime.settings.database_url)) as connection:
            now = at or runtime.clock.now()
            return runtime.service.arrivals().store(connection, records, now).new

    def tell(self, *told: Told) -> None:
        """Let facts arrive and be taken in by projections and handlers."""
        self.archive(*told)
        self.catch_up()
        self.service.work()

    def catch_up(self, projections: Mapping[str, Projection] = PROJECTIONS) -> None:
        catch_up(self.service.runtime.unit_of_work(), projections)

    def fold(self, batch: int, projections: Mapping[str, Projection] = PROJECTIONS) -> None:
        """Take in everything in batches of a given size."""
        uow = self.service.runtime.unit_of_work()
        use_cases.register(projections.values(), uow)
        while advance(uow, projections, batch):
            pass

    def digest(self) -> dict[str, Any]:
        """The digests of all live tables."""
        with self.service.runtime.database.session() as session:
            tables = [name for projection in PROJECTIONS.values() for name in projection.tables]
            return digest_of(session, tables)

    def rows(self, query: str) -> list[Any]:
        """What a query finds."""
        with psycopg.connect(libpq_url(self.service.runtime.settings.database_url)) as connection:
            return connection.execute(query).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(libpq_url(self.service.runtime.settings.database_url)) as connection:
            connection.execute(statement)

    def get(
        self, path: str, status: int = 200, *, as_: str | None = None, reach: str = "all", **query: Any
    ) -> Any:
        """The JSON answer of a GET. `as_` is the caller's id, `reach` how far his permissions go."""
        answer = self.service.client.get(
            path,
            query_string={name.rstrip("_"): value for name, value in query.items()},
            headers=bearer(as_, {"*": "all"} if reach == "all" else dict.fromkeys(_LIMITED, reach)),
        )
        assert answer.status_code == status, answer.text
        return answer.json

    def post(self, path: str, status: int, body: Any = None) -> Any:
        """The JSON answer of a POST by an administrator."""
        answer = self.service.client.post(path, json=body, headers=bearer(None, {"*": "all"}))
        assert answer.status_code == status, answer.text
        return answer.json

    def points(self, kpi: str, **query: Any) -> dict[str | None, Any]:
        """A key figure's series: label, or key where there is none, to its value, or to its points by bucket."""
        answer = self.get(f"/v1/kpis/{kpi}/values", **query)
        found = {}
        for series in answer["series"]:
            points = dict(map(tuple, series["points"]))
            found[series["label"] or series["key"]] = points["all"] if "grain" not in query else points
        return found


def days(number: int) -> datetime:
    """The present of the tests, and a number of days."""
    return NOW + timedelta(days=number)
