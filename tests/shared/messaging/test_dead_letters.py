"""A person decides about dead letters, once, and it is written down."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from shared.db.plumbing import AUDIT_ENTRIES
from shared.kernel.clock import FixedClock
from shared.kernel.errors import Conflict, NotFound
from shared.messaging import dead_letters
from shared.messaging.transport import ReceivedRecord
from shared.service import Runtime, Service
from tests.shared.ledger import TOPIC, facts, noted, service
from tests.shared.messaging.arrivals import Temper, arrive, by_state, inbox, linked, step

GROUP = "crm.erp"


@pytest.fixture
def temper(clock: FixedClock) -> Temper:
    return Temper(clock)


@pytest.fixture
def erp(start_service: Callable[[Service], Runtime], temper: Temper) -> Runtime:
    return start_service(service("erp", temper.handler))


@pytest.fixture
def dead(erp: Runtime, temper: Temper) -> ReceivedRecord:
    """A dead fact with a follower that waits."""
    temper.refuses = {"bad"}
    record = linked("k", 1, "bad")
    arrive(erp, [record, linked("k", 2, "after")])
    step(erp)
    return record


def _retry(erp: Runtime, record: ReceivedRecord) -> None:
    with erp.unit_of_work() as uow:
        dead_letters.retry(uow.session, erp.clock, GROUP, "/crm/erp", record.headers["ce_id"])


def _skip(erp: Runtime, source: str, event_id: str) -> None:
    with erp.unit_of_work() as uow:
        dead_letters.skip(uow.session, erp.clock, GROUP, source, event_id, "a test fact")


def test_dead_letters_are_listed_without_and_shown_with_their_payload(
    erp: Runtime, dead: ReceivedRecord
) -> None:
    with erp.database.session() as session:
        (listed,) = dead_letters.list_dead_letters(session, GROUP)
        assert dead_letters.list_dead_letters(session, "crm.sales") == []
        shown = dead_letters.get_dead_letter(session, GROUP, "/crm/erp", dead.headers["ce_id"])
    assert (listed["event_id"], listed["last_error"]) == (dead.headers["ce_id"], "Permanent: bad is refused")
    assert "payload" not in listed
    assert (bytes(shown["payload"]), shown["headers"]) == (dead.value, dict(dead.headers))


def test_a_retried_letter_is_applied_before_its_followers(
    erp: Runtime, temper: Temper, dead: ReceivedRecord
) -> None:
    temper.refuses = set()
    _retry(erp, dead)
    step(erp)
    assert noted(erp.database) == [("k", 1, "bad"), ("k", 2, "after")]


def test_a_letter_that_dies_again_is_copied_again(erp: Runtime, dead: ReceivedRecord) -> None:
    _retry(erp, dead)
    step(erp)
    assert by_state(erp.database) == {"dead": ["bad"], "ready": ["after"]}
    assert [letter.aggregate_version for letter in facts(erp.database)] == [1, 2]


def test_a_skipped_letter_lets_its_key_move_on(erp: Runtime, dead: ReceivedRecord) -> None:
    _skip(erp, "/crm/erp", dead.headers["ce_id"])
    step(erp)
    assert noted(erp.database) == [("k", 2, "after")]
    skipped = inbox(erp.database)[0]
    assert (skipped.state, skipped.last_error) == ("skipped", "skipped: a test fact")


def test_a_letter_is_decided_about_once(erp: Runtime, dead: ReceivedRecord) -> None:
    _skip(erp, "/crm/erp", dead.headers["ce_id"])
    with pytest.raises(NotFound):
        _skip(erp, "/crm/erp", dead.headers["ce_id"])
    with pytest.raises(NotFound):
        _retry(erp, dead)
    assert inbox(erp.database)[0].state == "skipped"


def test_bytes_that_are_no_event_can_be_skipped_but_not_applied(erp: Runtime) -> None:
    poison = linked("p", value=b"\xff")
    arrive(erp, [poison])
    event_id = f"{TOPIC}:{poison.position}"
    with pytest.raises(Conflict, match="no event"), erp.unit_of_work() as uow:
        dead_letters.retry(uow.session, erp.clock, GROUP, "undecodable", event_id)
    _skip(erp, "undecodable", event_id)
    assert inbox(erp.database)[0].state == "skipped"


def test_every_decision_is_audited_with_its_reason(erp: Runtime, dead: ReceivedRecord) -> None:
    _retry(erp, dead)
    step(erp)
    _skip(erp, "/crm/erp", dead.headers["ce_id"])
    with erp.database.session() as session:
        entries = session.execute(select(AUDIT_ENTRIES).order_by(AUDIT_ENTRIES.c.ord)).all()
    assert [(entry.action, entry.details) for entry in entries] == [
        ("dead_letter.retry", {}),
        ("dead_letter.skip", {"reason": "skipped: a test fact"}),
    ]
    assert {entry.object for entry in entries} == {f"inbox:/crm/erp/{dead.headers['ce_id']}"}


def test_a_letter_that_is_not_there_is_not_found(erp: Runtime) -> None:
    with erp.database.session() as session, pytest.raises(NotFound, match="no dead letter x from /crm/erp"):
        dead_letters.get_dead_letter(session, GROUP, "/crm/erp", "x")
