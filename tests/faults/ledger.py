"""The service that faults are done to: purses of money, told over the bus and noted on arrival.

`python -m tests.faults.ledger erp web|bus` writes, `python -m tests.faults.ledger sales bus` reads. It stands on the
library like every service, and borrows the names of two because the contracts declare who says a fact and who hears it.
"""

from __future__ import annotations

import sys
import time
import uuid
from typing import Any

from flask import Flask
from marshmallow import validate
from sqlalchemy import Boolean, Column, Float, Table, Text, select
from sqlalchemy.orm import Mapped

from shared.cli import main
from shared.contracts.policy import Policy
from shared.db.base import AggregateRoot
from shared.db.repository import Repository
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.consumers import Consumers, handles
from shared.messaging.envelope import Fact
from shared.service import Runtime, Service
from shared.web import Blueprint, Schema, create_app, fields, unit_of_work
from tests.shared.ledger import LINKED, MORNING, Base, LinkData, Linked, note

__all__ = ["PERMISSION", "READER", "SERVICES", "TROUBLES", "WRITER", "Purse", "create", "deposit", "transfer"]

PERMISSION = "purse.change"
_POLICY = f"purses: {{{PERMISSION}: {{says: Move money, reach: [all], roles: {{}}}}}}"

TROUBLES = Table(
    "troubles",
    Base.metadata,
    Column("subject", Text, primary_key=True),
    Column("seconds", Float, nullable=False),
    Column("fails", Boolean, nullable=False),
)
"""Subjects whose facts the handler is slow with, or fails on: a test writes here while the service runs."""


class Purse(AggregateRoot, Base):
    """An amount of money. Every change is a fact that tells the new balance and the operation that made it."""

    __tablename__ = "purses"
    AGGREGATE = "customer"

    balance: Mapped[int]

    def move(self, amount: int, operation: str) -> None:
        """Add `amount`, which may be negative."""
        self.balance = (self.balance or 0) + amount
        self.record(Linked(self.id, str(self.balance), MORNING, erp_number=operation))


class Purses(Repository[Purse]):
    model = Purse


def create(purse_id: uuid.UUID, amount: int, operation: str, uow: UnitOfWork) -> Purse:
    """A new purse with `amount` in it."""
    with uow:
        purse = Purses(uow.session).add(Purse(id=purse_id))
        purse.move(amount, operation)
    return purse


def deposit(
    purse_id: uuid.UUID, amount: int, operation: str, uow: UnitOfWork, expected_version: int | None = None
) -> Purse:
    """Put `amount` into a purse. Raises Stale."""
    with uow:
        purse = Purses(uow.session).get(purse_id, expected_version=expected_version)
        purse.move(amount, operation)
    return purse


def transfer(source: uuid.UUID, target: uuid.UUID, amount: int, operation: str, uow: UnitOfWork) -> Purse:
    """Move `amount` from purse to purse in one transaction. Raises Stale."""
    with uow:
        giving, taking = Purses(uow.session).get(source), Purses(uow.session).get(target)
        giving.move(-amount, operation)
        taking.move(amount, operation)
    return giving


class CreatePurse(Schema):
    purse_id = fields.Id(required=True)
    amount = fields.Integer(required=True)
    operation = fields.Text(60, required=True)


class Deposit(Schema):
    amount = fields.Integer(required=True)
    operation = fields.Text(60, required=True)
    expected_version = fields.Integer(load_default=None, validate=validate.Range(1))


class Transfer(Schema):
    source = fields.Id(required=True)
    target = fields.Id(required=True)
    amount = fields.Integer(required=True)
    operation = fields.Text(60, required=True)


class PurseOut(Schema):
    id = fields.Id()
    version = fields.Integer()
    balance = fields.Integer()


purses = Blueprint("purses", __name__, url_prefix="/v1/purses", description="Purses")


@purses.post("", permission=PERMISSION)
@purses.arguments(CreatePurse)
@purses.response(201, PurseOut)
def post_purse(body: dict[str, Any]) -> Any:
    """Make a purse."""
    return create(**body, uow=unit_of_work())


@purses.post("/<uuid:purse_id>/deposits", permission=PERMISSION)
@purses.arguments(Deposit)
@purses.response(200, PurseOut)
def post_deposit(body: dict[str, Any], purse_id: uuid.UUID) -> Any:
    """Put money into a purse."""
    return deposit(purse_id, **body, uow=unit_of_work())


@purses.post("/transfers", permission=PERMISSION)
@purses.arguments(Transfer)
@purses.response(200, PurseOut)
def post_transfer(body: dict[str, Any]) -> Any:
    """Move money from purse to purse."""
    return transfer(**body, uow=unit_of_work())


class Defect(Exception):
    """The handler fails, as if by a mistake in its code."""


@handles(LINKED, reads=LinkData)
def note_balance_when_purse_changed(fact: Fact, uow: UnitOfWork) -> None:
    trouble = uow.session.execute(select(TROUBLES).where(TROUBLES.c.subject == fact.subject)).first()
    if trouble is not None:
        time.sleep(trouble.seconds)
        if trouble.fails:
            raise Defect("this handler does not work yet")
    note(fact, uow)


def _create_app(runtime: Runtime) -> Flask:
    return create_app(runtime, [purses], has_bus=False, policy=Policy.parse(_POLICY))


WRITER = Service("erp", _create_app)
READER = Service("sales", _create_app, consumers=Consumers.of([note_balance_when_purse_changed]))
SERVICES = {service.name: service for service in (WRITER, READER)}

if __name__ == "__main__":
    main(SERVICES[sys.argv[1]], sys.argv[2:])
