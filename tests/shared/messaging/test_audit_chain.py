"""The audit log is chained by hashes: what is altered or taken out afterwards shows."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Row, select, text
from sqlalchemy.exc import DatabaseError

from shared.db.plumbing import AUDIT_ENTRIES
from shared.messaging import housekeeping
from shared.messaging.housekeeping import AuditSealer, seal, verify_audit
from shared.service import Runtime

ANN = "user:018f0000-0000-7000-8000-000000000001"
BOB = "user:018f0000-0000-7000-8000-000000000002"


def _note(erp: Runtime, *roles: str) -> None:
    with erp.database.session() as session, session.begin():
        session.execute(AUDIT_ENTRIES.insert(), [_entry(role) for role in roles])


def _entry(role: str) -> dict[str, Any]:
    return {
        "at": datetime(2026, 3, 2, 9, tzinfo=UTC),
        "actor": ANN,
        "action": "role.granted",
        "object": BOB,
        "details": {"role": role},
    }


def _entries(erp: Runtime) -> Sequence[Row[Any]]:
    with erp.database.session() as session:
        return session.execute(select(AUDIT_ENTRIES).order_by(AUDIT_ENTRIES.c.seq)).all()


def _broken_at(erp: Runtime) -> int | None:
    with erp.database.session() as session:
        return verify_audit(session)


def _tamper(erp: Runtime, statement: str) -> None:
    """Do what only the owner of the table can."""
    with erp.database.session() as session, session.begin():
        session.execute(text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
        session.execute(text(statement))
        session.execute(text("ALTER TABLE audit_entries ENABLE TRIGGER USER"))


def test_the_first_entry_has_the_hash_of_the_published_example(erp: Runtime) -> None:
    _note(erp, "sales_rep")
    assert seal(erp.database) == 1
    (entry,) = _entries(erp)
    assert entry.seq == 1
    assert entry.hash.hex() == "6d5891c9b603441b9aae95c75bda323acc2875281502d87fec0242613be20262"


def test_every_hash_covers_the_one_before_it(erp: Runtime) -> None:
    _note(erp, "sales_rep", "sales_rep")
    seal(erp.database)
    first, second = _entries(erp)
    assert (first.seq, second.seq) == (1, 2)
    assert first.hash != second.hash
    assert second.hash == housekeeping.audit_hash(first.hash, second, 2)


def test_a_slow_transactions_entry_gets_its_place_later(erp: Runtime) -> None:
    with erp.database.session() as slow, slow.begin():
        slow.execute(AUDIT_ENTRIES.insert(), [_entry("slow")])
        _note(erp, "quick")
        assert seal(erp.database) == 1
    assert seal(erp.database) == 1
    assert [entry.details["role"] for entry in _entries(erp)] == ["quick", "slow"]
    assert [entry.ord for entry in _entries(erp)] == [2, 1]
    assert _broken_at(erp) is None


def test_sealers_at_once_leave_no_gap(erp: Runtime) -> None:
    _note(erp, *(str(number) for number in range(30)))
    with ThreadPoolExecutor(3) as pool:
        sealed = list(pool.map(lambda _: seal(erp.database, limit=10), range(3)))
    assert sealed == [10, 10, 10]
    assert [entry.seq for entry in _entries(erp)] == list(range(1, 31))
    assert _broken_at(erp) is None


def test_the_sealer_works_until_nothing_is_pending(erp: Runtime) -> None:
    _note(erp, "a", "b")
    sealer = AuditSealer(erp.database)
    assert sealer.step() is True
    assert sealer.step() is False


def test_a_whole_chain_verifies(erp: Runtime) -> None:
    assert _broken_at(erp) is None
    _note(erp, "a", "b", "c")
    seal(erp.database)
    assert _broken_at(erp) is None


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit_entries SET actor = 'user:eve' WHERE seq = 2", 2),
        ('UPDATE audit_entries SET details = \'{"role": "agent"}\' WHERE seq = 3', 3),
        ("UPDATE audit_entries SET at = at + interval '1 microsecond' WHERE seq = 1", 1),
        ("DELETE FROM audit_entries WHERE seq = 1", 1),
        ("DELETE FROM audit_entries WHERE seq = 2", 2),
    ],
)
def test_what_was_altered_or_taken_out_is_found(erp: Runtime, statement: str, broken_at: int) -> None:
    _note(erp, "a", "b", "c")
    seal(erp.database)
    _tamper(erp, statement)
    assert _broken_at(erp) == broken_at


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'user:eve'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ],
)
def test_the_database_refuses_to_change_what_is_sealed(erp: Runtime, statement: str) -> None:
    _note(erp, "a")
    seal(erp.database)
    with erp.database.session() as session, pytest.raises(DatabaseError, match="append-only"):
        session.execute(text(statement))
