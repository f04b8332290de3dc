"""The smallest service that stands on the library: a ledger of links, told over the bus, noted on arrival."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

from marshmallow import Schema, fields
from sqlalchemy import BigInteger, Column, ForeignKey, Identity, MetaData, Row, Table, Text, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from deploy.local.problems import free_port
from shared.db.base import TYPES, AggregateRoot, money, new_metadata
from shared.db.engine import Database
from shared.db.plumbing import OUTBOX
from shared.db.repository import Repository
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.clock import Clock
from shared.kernel.events import Event
from shared.kernel.money import Money
from shared.messaging.consumers import Consumers, Handler, handles
from shared.messaging.envelope import Fact
from shared.service import Runtime, Service
from shared.settings import Settings

__all__ = [
    "EFFECTS",
    "LINKED",
    "MORNING",
    "TOPIC",
    "Alias",
    "Link",
    "LinkData",
    "Linked",
    "Links",
    "facts",
    "note",
    "note_link_when_customer_linked",
    "noted",
    "runtime",
    "service",
]

LINKED = "crm.erp.customer.linked.v1"
TOPIC = "crm.erp.customer"
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Base(DeclarativeBase):
    metadata: ClassVar[MetaData] = new_metadata()
    type_annotation_map = TYPES


EFFECTS = Table(
    "effects",
    Base.metadata,
    Column("ord", BigInteger, Identity(), primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("number", Text, nullable=False),
)
"""What the handler did, a row each time: nothing in the table itself keeps a second effect out."""
_INSERT_EFFECT = insert(EFFECTS)


@dataclass(frozen=True)
class Linked(Event):
    TYPE: ClassVar[str] = LINKED

    account_id: uuid.UUID
    erp_customer_id: str
    linked_at: datetime
    erp_number: str | None = None
    previous_erp_customer_id: str | None = None


class Alias(Base):
    """A part of a link: another number that the customer is known by."""

    __tablename__ = "aliases"

    link_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("links.id"), primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    remark: Mapped[str | None]


class Link(AggregateRoot, Base):
    """Which customer of the ERP an account is. Moving it is a fact, remarking on it is not."""

    __tablename__ = "links"
    AGGREGATE = "customer"

    number: Mapped[str]
    remark: Mapped[str | None]
    limit: Mapped[Money | None] = money("limit", nullable=True)
    aliases: Mapped[list[Alias]] = relationship(cascade="all, delete-orphan", order_by=Alias.number)

    @classmethod
    def to(cls, number: str) -> Link:
        link = cls()
        link.move(number)
        return link

    def move(self, number: str, *, key: str | None = None) -> None:
        self.number = number
        self.record(Linked(self.id, number, MORNING), key=key)


class Links(Repository[Link]):
    model = Link


class LinkData(Schema):
    erp_customer_id = fields.String(required=True)


def note(fact: Fact, uow: UnitOfWork) -> None:
    """The effect of a fact: one row."""
    uow.session.execute(
        _INSERT_EFFECT,
        {
            "event_id": fact.id,
            "subject": fact.subject,
            "version": fact.version,
            "number": fact.data["erp_customer_id"],
        },
    )


@handles(LINKED, reads=LinkData)
def note_link_when_customer_linked(fact: Fact, uow: UnitOfWork) -> None:
    note(fact, uow)


def noted(database: Database) -> list[tuple[str, int, str]]:
    """The effects so far in the order they were made: subject, version, number."""
    e = EFFECTS.c
    with database.session() as session:
        rows = session.execute(select(e.subject, e.version, e.number).order_by(e.ord))
        return [(row.subject, row.version, row.number) for row in rows]


def facts(database: Database) -> list[Row[Any]]:
    """The rows of the outbox by seq."""
    with database.session() as session:
        return list(session.execute(select(OUTBOX).order_by(OUTBOX.c.seq)))


def _no_web(_: Runtime) -> NoReturn:
    raise AssertionError("the ledger has no HTTP API")


def service(name: str, *handlers: Handler, **options: Any) -> Service:
    """A service with the ledger's tables that handles facts with `handlers`."""
    return Service(name, _no_web, consumers=Consumers.of(handlers), **options)


def runtime(service: Service, database_url: str, bus_url: str, clock: Clock | None = None) -> Runtime:
    """The service on a migrated database, with its tables. Close its database at the end."""
    settings = Settings(
        service=service.name,
        database_url=database_url,
        bus="postgres",
        bus_database_url=bus_url,
        secret="a secret of this test",
        health_port=free_port(),
    )
    started = Runtime.start(service, settings, role="test", clock=clock)
    Base.metadata.create_all(started.database.engine)
    return started
