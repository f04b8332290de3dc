"""A tiny service with one aggregate on a real database: enough to show every rule of the web side."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.access import reach_filter
from shared.contracts.policy import Policy
from shared.db.base import TYPES, AggregateRoot, money, new_metadata
from shared.db.engine import Database
from shared.db.listing import Listing, equals, one_of
from shared.db.repository import Repository
from shared.kernel.errors import IllegalState, Invalid, Unavailable
from shared.kernel.money import Money
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.testing.postgres import PostgresForTests
from shared.testing.tokens import ISSUER, jwks_file
from shared.web import (
    PUBLIC,
    Blueprint,
    OpenSchema,
    Schema,
    create_app,
    fields,
    links,
    principal,
    session,
    unit_of_work,
)

POLICY = """
notes:
  note.read: {says: See notes, reach: [own, team, territory, all], roles: {sales_rep: own}}
  note.create: {says: Write notes, reach: [all], roles: {sales_rep: all}}
  note.edit: {says: Change notes, reach: [own, all], roles: {sales_rep: own}}
  note.close: {says: Close notes, reach: [own, all], roles: {sales_rep: own}}
  note.shred: {says: Shred notes, reach: [all], step_up: true, roles: {}}
  portal_note.read: {says: See our own notes, reach: [own], portal: true, roles: {portal_user: own}}
bus:
  bus.read: {says: See what happened to a fact, reach: [all], roles: {}}
  bus.operate: {says: Operate the bus, reach: [all], roles: {}}
"""


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map = TYPES


class Note(AggregateRoot, Base):
    __tablename__ = "notes"
    AGGREGATE = "note"

    subject: Mapped[str] = mapped_column(Text)
    owner_id: Mapped[uuid.UUID]
    state: Mapped[str] = mapped_column(Text)
    worth: Mapped[Money | None] = money("worth", nullable=True)

    def close(self) -> None:
        if self.state == "closed":
            raise IllegalState("The note is closed already.", state="closed", allowed=["reopen"])
        self.state = "closed"


class Notes(Repository[Note]):
    model = Note


class NoteIn(Schema):
    id = fields.Id(dump_only=True)
    subject = fields.Text(200, required=True)
    worth = fields.MoneyField(load_default=None, allow_none=True)


class Author(Schema):
    name = fields.String()
    nickname = fields.String()


class NoteOut(Schema):
    id = fields.Id()
    version = fields.Integer()
    subject = fields.String()
    state = fields.String()
    worth = fields.MoneyField()
    author = fields.Nested(Author)
    created_at = fields.Timestamp()

    PORTAL = ("id", "subject", "author.name")


class NoteFilters(Schema):
    state = fields.Enum("open", "closed")
    ids = fields.List(fields.Id())
    sort = fields.Sort("created_at", "subject", default="subject")

    PORTAL = ("ids", "sort")


class Answer(OpenSchema):
    stars = fields.Integer(min=1, max=5, required=True)


notes = Blueprint("notes", __name__, url_prefix="/v1/notes", description="Notes")
doors = Blueprint("doors", __name__, url_prefix="/public/v1", description="Open doors")

LISTING = Listing(
    select(Note.id, Note.version, Note.subject, Note.state, Note.created_at),
    key=Note.__table__.c.id,
    filters={"state": equals(Note.state), "ids": one_of(Note.id)},
    sorts={"created_at": Note.__table__.c.created_at, "subject": Note.__table__.c.subject},
    default_sort="subject",
)


def _mine(permission: str) -> Any:
    return reach_filter(principal(), permission, owner=Note.__table__.c.owner_id)


@notes.get("", permission="note.read")
@notes.arguments(NoteFilters, location="query")
@notes.page(NoteOut)
def list_notes(filters: dict[str, Any]) -> Any:
    """List notes."""
    return LISTING.page(session(), filters, _mine("note.read"))


@notes.post("", permission="note.create")
@notes.arguments(NoteIn)
@notes.response(201, NoteOut)
def create_note(body: dict[str, Any]) -> Any:
    """Write a note."""
    uow = unit_of_work()
    with uow:
        return Notes(uow.session).add(
            Note(owner_id=principal().user_id or uuid.UUID(int=0), state="open", **body)
        )


@notes.get("/<uuid:note_id>", permission="note.read")
@notes.response(200, NoteOut)
def get_note(note_id: uuid.UUID) -> Any:
    """One note."""
    return Notes(session()).get(note_id, where=_mine("note.read"))


@notes.patch("/<uuid:note_id>", permission="note.edit")
@notes.arguments(NoteIn(partial=True))
@notes.response(200, NoteOut)
def edit_note(body: dict[str, Any], note_id: uuid.UUID, expected_version: int) -> Any:
    """Change a note."""
    uow = unit_of_work()
    with uow:
        note = Notes(uow.session).get(note_id, expected_version=expected_version, where=_mine("note.edit"))
        note.subject = body["subject"]
        return note


@notes.post("/<uuid:note_id>/close", permission="note.close", if_match=True)
@notes.response(200, NoteOut)
def close_note(note_id: uuid.UUID, expected_version: int) -> Any:
    """Close a note."""
    uow = unit_of_work()
    with uow:
        note = Notes(uow.session).get(note_id, expected_version=expected_version)
        note.close()
        return note


@notes.delete("/<uuid:note_id>", permission="note.shred", if_match=False)
def shred_note(note_id: uuid.UUID) -> None:
    """Shred a note; needs a second factor."""


@notes.get("/mine", permission="portal_note.read")
@notes.arguments(NoteFilters, location="query")
@notes.response(200, NoteOut)
def portal_note(filters: dict[str, Any]) -> Any:
    """What a portal login sees."""
    author = {"name": "Ada", "nickname": "The machine"}
    return {"subject": principal().subject, "state": "open", "author": author, "version": 3}


FAILURES: dict[str, Callable[[], Any]] = {
    "invalid": lambda: (_ for _ in ()).throw(Invalid.field("/subject", "Too dull.")),
    "unavailable": lambda: (_ for _ in ()).throw(Unavailable("The printer is away.", retry_after=7)),
    "bug": lambda: 1 / 0,
}


@notes.get("/failures/<kind>", permission="note.read")
@notes.response(200, NoteOut)
def fail(kind: str) -> Any:
    """Fail in a given way."""
    statements = {
        "slow": "SET statement_timeout = '50ms'; SELECT pg_sleep(2)",
        "constraint": "INSERT INTO notes (id) VALUES (NULL)",
        "too-big": "SELECT 100000::int2",
        "syntax": "SELEC secret_column",
    }
    if kind in statements:
        connection = session().connection()
        for statement in statements[kind].split(";"):
            connection.exec_driver_sql(statement)
        return None
    return FAILURES[kind]()


@doors.post("/answers/<token>", permission=PUBLIC)
@doors.arguments(Answer)
@doors.response(200)
def answer(body: dict[str, Any], token: str) -> Any:
    """Answer a survey."""
    return links.verify("survey", token) and None


@dataclass(frozen=True)
class Suite:
    """The running test service."""

    app: Flask
    runtime: Runtime

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()


def _settings(folder: Path, database_url: str) -> Settings:
    return Settings(
        service="notes",
        database_url=database_url,
        bus="postgres",
        bus_database_url=database_url,
        identity_url=ISSUER,
        jwks_file=jwks_file(folder),
        secret="a secret for tests only",
        rate_limit="10000/second",
        public_rate_limit="10000/second",
    )


@contextmanager
def _running(settings: Settings) -> Iterator[Runtime]:
    started = Runtime.start(Service("notes", create_app=make_app), settings, role="test")
    Base.metadata.create_all(started.database.engine)
    yield started
    started.database.close()


@pytest.fixture
def settings(tmp_path: Path, plumbing_database: str) -> Settings:
    """Settings of the test service: its database, keys from a file."""
    return _settings(tmp_path, plumbing_database)


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    """The test service on a database with its tables."""
    with _running(settings) as started:
        yield started


@pytest.fixture(scope="module")
def module_suite(postgres: PostgresForTests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """The running test service, one for all tests of a module: for properties, whose examples share it."""
    with (
        postgres.database("plumbing") as url,
        _running(_settings(tmp_path_factory.mktemp("notes"), url)) as started,
    ):
        yield Suite(make_app(started), started)


def make_app(runtime: Runtime, *blueprints: Blueprint, **options: Any) -> Flask:
    """The app of `runtime` with `blueprints`, or with those above."""
    return create_app(runtime, blueprints or (notes, doors), policy=Policy.parse(POLICY), **options)


@pytest.fixture
def suite(runtime: Runtime) -> Suite:
    """The running test service."""
    return Suite(make_app(runtime), runtime)


@pytest.fixture
def client(suite: Suite) -> FlaskClient:
    """A client of the test service."""
    return suite.client


@pytest.fixture
def database(runtime: Runtime) -> Database:
    """The test service's database."""
    return runtime.database


@pytest.fixture
def with_settings(runtime: Runtime) -> Callable[..., FlaskClient]:
    """`with_settings(rate_limit="2/minute")` is a client of the service with other settings."""

    def make(**changes: Any) -> FlaskClient:
        return make_app(replace(runtime, settings=replace(runtime.settings, **changes))).test_client()

    return make
