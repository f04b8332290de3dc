"""Who sees what: the reach of permissions in SQL, and the copy of people and teams that it reads."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import ARRAY, Column, MetaData, Table, Text, Uuid, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.access import Principal, reach_filter
from shared.access.consumers import (
    HANDLERS,
    remember_api_client,
    remember_revocation,
    remember_role,
    remember_team,
    remember_user,
)
from shared.access.tables import PRINCIPALS, REVOKED_SESSIONS, ROLE_VERSIONS, TEAMS
from shared.db.engine import Database
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.errors import Permanent
from shared.kernel.ids import new_id
from shared.messaging.envelope import Fact

PEOPLE = {name: uuid.UUID(int=number) for number, name in enumerate("ABCDEFG", start=1)}
NORTH, EAST = uuid.UUID(int=101), uuid.UUID(int=102)

RECORDS = Table(
    "records",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("owner_id", Uuid),
    Column("helpers", ARRAY(Uuid)),
    Column("listed", JSONB),
    Column("account_id", Uuid),
    Column("contact_id", Uuid),
)


@pytest.fixture
def database(plumbing_database: str) -> Iterator[Database]:
    """The example of A..F with the teams North and East, and one record for each of them; G stands alone."""
    made = Database.connect(plumbing_database, application="test")
    managers = {"B": "A", "C": "A", "D": "B", "E": "B", "F": "D"}
    teams = {"B": [NORTH], "D": [NORTH], "E": [NORTH], "C": [EAST], "F": [EAST]}
    with made.engine.begin() as connection:
        RECORDS.create(connection)
        for name, person in PEOPLE.items():
            connection.execute(
                insert(PRINCIPALS).values(
                    id=person,
                    kind="staff",
                    display_name=name,
                    manager_id=PEOPLE.get(managers.get(name, "")),
                    team_ids=teams.get(name, []),
                    active=True,
                    version=1,
                )
            )
            connection.execute(insert(RECORDS).values(name=name, owner_id=person, helpers=[], listed=[]))
        for team, lead in ((NORTH, "B"), (EAST, "C")):
            connection.execute(
                insert(TEAMS).values(id=team, name=str(team), kind="sales", lead_id=PEOPLE[lead], version=1)
            )
    yield made
    made.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.session() as opened:
        yield opened


def staff(name: str, reach: str) -> Principal:
    return Principal(str(PEOPLE[name]), "staff", "tests", {"record.read": reach})  # type: ignore[dict-item]


def visible(session: Session, principal: Principal, **columns: Any) -> str:
    condition = reach_filter(principal, "record.read", owner=RECORDS.c.owner_id, **columns)
    return "".join(session.scalars(select(RECORDS.c.name).where(condition).order_by(RECORDS.c.name)))


@pytest.mark.parametrize(
    ("who", "seen"), [("B", "BDEF"), ("C", "CF"), ("F", "CF"), ("A", "ABCDEF"), ("D", "BDEF"), ("G", "G")]
)
@pytest.mark.parametrize("reach", ["team", "territory"])
def test_team_reach_is_teams_led_teams_and_everybody_below(
    session: Session, who: str, seen: str, reach: str
) -> None:
    assert visible(session, staff(who, reach)) == seen


def test_own_reach_is_ones_own(session: Session) -> None:
    assert visible(session, staff("B", "own")) == "B"


def test_all_reach_is_everything_and_no_reach_nothing(session: Session) -> None:
    assert visible(session, staff("F", "all")) == "ABCDEFG"
    assert visible(session, Principal(str(PEOPLE["F"]), "staff", "tests", {})) == ""


@pytest.mark.parametrize("column", ["helpers", "listed"])
@pytest.mark.parametrize(("reach", "seen"), [("own", "AG"), ("team", "AG")])
def test_collaborators_see_what_they_work_on(session: Session, column: str, reach: str, seen: str) -> None:
    helpers = {"helpers": [PEOPLE["G"]], "listed": [str(PEOPLE["G"])]}
    session.execute(RECORDS.update().where(RECORDS.c.name == "A").values({column: helpers[column]}))
    assert visible(session, staff("G", reach), collaborators=RECORDS.c[column]) == seen


def test_the_lead_of_a_team_sees_the_teams_below_it(session: Session) -> None:
    session.execute(TEAMS.update().where(TEAMS.c.id == EAST).values(parent_id=NORTH))
    assert visible(session, staff("B", "team")) == "BCDEF"
    assert visible(session, staff("E", "team")) == "BDE"


def test_a_ring_of_managers_or_teams_ends(session: Session) -> None:
    session.execute(PRINCIPALS.update().where(PRINCIPALS.c.id == PEOPLE["A"]).values(manager_id=PEOPLE["F"]))
    session.execute(TEAMS.update().where(TEAMS.c.id == NORTH).values(parent_id=EAST))
    session.execute(TEAMS.update().where(TEAMS.c.id == EAST).values(parent_id=NORTH))
    assert visible(session, staff("F", "team")) == "ABCDEF"


def test_a_machine_reads_all_or_nothing(session: Session) -> None:
    for reach, seen in (("all", "ABCDEFG"), ("team", ""), ("own", "")):
        machine = Principal("erp", "machine", "erp", {"record.read": reach})  # type: ignore[dict-item]
        assert visible(session, machine) == seen


@pytest.mark.parametrize(
    ("sight", "columns", "seen"),
    [
        ("account", {"account", "contact"}, "AB"),
        ("own", {"account", "contact"}, "A"),
        ("account", {"account"}, "AB"),
        ("own", {"account"}, ""),
        ("account", set(), ""),
    ],
)
def test_portal_logins_see_their_accounts_records(
    session: Session, sight: Any, columns: set[str], seen: str
) -> None:
    account, contact = uuid.uuid4(), uuid.uuid4()
    for name, of_contact in (("A", contact), ("B", uuid.uuid4())):
        session.execute(
            RECORDS.update().where(RECORDS.c.name == name).values(account_id=account, contact_id=of_contact)
        )
    portal = Principal(str(uuid.uuid4()), "portal", "web", {"record.read": "own"}, account, contact, sight)
    given = {name: RECORDS.c[f"{name}_id"] for name in columns}
    assert visible(session, portal, **given) == seen


def test_two_filters_fit_into_one_statement(session: Session) -> None:
    first, second = (
        reach_filter(staff(who, "team"), "record.read", owner=RECORDS.c.owner_id) for who in ("B", "A")
    )
    names = session.scalars(select(RECORDS.c.name).where(first, second).order_by(RECORDS.c.name))
    assert "".join(names) == "BDEF"


def fact(type_: str, version: int, **data: Any) -> Fact:
    return Fact(
        id=str(new_id()),
        source="/crm/identity",
        type=f"crm.identity.{type_}.v1",
        subject="x",
        time=datetime.now(UTC),
        key="x",
        version=version,
        correlation_id=new_id(),
        causation_id=None,
        actor_id="system:test",
        traceparent=None,
        data=data,
    )


def user(**changes: Any) -> dict[str, Any]:
    state = {
        "user_id": str(PEOPLE["G"]),
        "email": "g@example.com",
        "display_name": "G",
        "manager_id": None,
        "team_ids": [str(NORTH)],
        "role_names": ["sales_rep"],
        "epoch": 2,
        "active": True,
    }
    return state | changes


@pytest.fixture
def apply(database: Database) -> Callable[..., None]:
    def work(handler: Any, *facts: Fact) -> None:
        for each in facts:
            with UnitOfWork(database.session(), None) as uow:  # type: ignore[arg-type]
                handler(each, uow)

    return work


def test_people_are_remembered_by_the_newest_fact(apply: Callable[..., None], session: Session) -> None:
    apply(
        remember_user,
        fact("user.created", 2, **user()),
        fact("user.deactivated", 4, **user(active=False, epoch=3)),
        fact("user.changed", 3, **user(display_name="Older")),
        fact("user.deactivated", 4, **user(active=False, epoch=3)),
    )
    row = session.execute(select(PRINCIPALS).where(PRINCIPALS.c.id == PEOPLE["G"])).one()
    assert (row.display_name, row.active, row.epoch, row.version, row.kind) == ("G", False, 3, 4, "staff")
    assert row.team_ids == [NORTH]


def test_teams_are_remembered_by_the_newest_fact(apply: Callable[..., None], session: Session) -> None:
    state = {
        "team_id": str(EAST),
        "name": "East",
        "kind": "sales",
        "parent_id": str(NORTH),
        "lead_id": None,
        "member_ids": [],
    }
    apply(
        remember_team,
        fact("team.changed", 3, **state),
        fact("team.changed", 2, **state | {"name": "Older"}),
    )
    row = session.execute(select(TEAMS).where(TEAMS.c.id == EAST)).one()
    assert (row.name, row.parent_id, row.lead_id, row.version) == ("East", NORTH, None, 3)


def test_machines_are_remembered_by_the_newest_fact(apply: Callable[..., None], session: Session) -> None:
    machine = uuid.UUID(int=300)
    state = {"api_client_id": str(machine), "client_id": "link", "name": "Link", "epoch": 1, "active": False}
    apply(
        remember_api_client,
        fact("api_client.changed", 2, **state),
        fact("api_client.changed", 1, **state | {"epoch": 0, "active": True}),
    )
    row = session.execute(select(PRINCIPALS).where(PRINCIPALS.c.id == machine)).one()
    assert (row.kind, row.client_id, row.display_name) == ("machine", "link", "Link")
    assert (row.epoch, row.active, row.version, row.team_ids) == (1, False, 2, [])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_name_given_to_a_new_role_starts_anew_whatever_is_heard_first(
    apply: Callable[..., None], session: Session, order: tuple[int, ...]
) -> None:
    deleted, later = (str(uuid.UUID(int=number)) for number in (201, 202))
    facts = [
        fact("role.changed", 4, role_id=deleted, name="helper", role_version=3),
        fact("role.changed", 5, role_id=deleted, name="helper", role_version=3),
        fact("role.changed", 1, role_id=later, name="helper", role_version=1),
    ]
    apply(remember_role, *(facts[place] for place in order))
    row = session.execute(select(ROLE_VERSIONS)).one()
    assert (row.name, str(row.role_id), row.role_version, row.version) == ("helper", later, 1, 1)


def test_a_revocation_is_kept_once(apply: Callable[..., None], session: Session) -> None:
    state = {"session_id": str(EAST), "subject_id": str(NORTH), "expires_at": "2026-03-02T20:00:00Z"}
    apply(remember_revocation, *[fact("session.revoked", 1, **state)] * 2)
    row = session.execute(select(REVOKED_SESSIONS)).one()
    assert row == (EAST, NORTH, datetime(2026, 3, 2, 20, tzinfo=UTC))


def test_a_fact_without_what_is_read_is_permanent(apply: Callable[..., None]) -> None:
    with pytest.raises(Permanent, match="remember_user"):
        apply(remember_user, fact("user.changed", 9, user_id=str(PEOPLE["G"])))


def test_the_handlers_cover_every_fact_about_who_may_what() -> None:
    assert {event_type for handler in HANDLERS for event_type in handler.types} == {
        "crm.identity.user.created.v1",
        "crm.identity.user.changed.v1",
        "crm.identity.user.deactivated.v1",
        "crm.identity.team.changed.v1",
        "crm.identity.api_client.changed.v1",
        "crm.identity.role.changed.v1",
        "crm.identity.session.revoked.v1",
    }
