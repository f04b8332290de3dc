"""Pages by key: nothing is skipped and nothing comes twice, whatever is written meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shared.db.engine import Database
from shared.db.listing import Listing, Page, at_least, at_most, equals, one_of
from shared.testing.postgres import PostgresForTests
from tests.shared.ledger import Base, Link

LINKS = Base.metadata.tables["links"]
LISTING = Listing(
    select=select(Link.id, Link.number, Link.created_at),
    key=Link.id,
    filters={
        "number": equals(Link.number),
        "created_at_gte": at_least(Link.created_at),
        "created_at_lte": at_most(Link.created_at),
        "ids": one_of(Link.id),
    },
    sorts={
        "created_at": Link.created_at,
        "number": Link.number,
        "limit": func.coalesce(LINKS.c.limit_amount, 0),
        "version": Link.version,
    },
)


@pytest.fixture(scope="module")
def filled(postgres: PostgresForTests) -> Iterator[Database]:
    """A database for all tests of this module; each empties the table first."""
    with postgres.database() as url:
        database = Database.connect(url, application="test")
        Base.metadata.create_all(database.engine)
        yield database
        database.close()


def _row(number: int, minute: int) -> dict[str, Any]:
    at = datetime(2026, 3, 2, 9, minute, tzinfo=UTC)
    return {
        "id": uuid.UUID(int=number),
        "number": f"{minute}",
        "limit_amount": Decimal(minute) / 4,
        "limit_currency": "EUR",
        "version": minute,
        "event_no": 0,
        "root_correlation_id": uuid.UUID(int=0),
        "created_at": at,
        "updated_at": at,
    }


def _fill(database: Database, rows: list[dict[str, Any]]) -> None:
    with database.session() as session, session.begin():
        session.execute(delete(Link))
        _add(session, rows)


def _add(session: Session, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.connection().execute(LINKS.insert(), rows)


def _page(database: Database, **arguments: Any) -> Page:
    with database.session() as session:
        return LISTING.page(session, arguments)


def _numbers(page: Page) -> list[int]:
    return [item.id.int for item in page.items]


_TIES = [_row(number, minute=number // 2) for number in range(7)]


@pytest.mark.parametrize("sort", ["created_at", "number", "limit", "version"])
def test_pages_follow_the_sort_in_both_directions(filled: Database, sort: str) -> None:
    _fill(filled, _TIES)
    for asked, expected in ((sort, [0, 1, 2, 3, 4, 5, 6]), (f"-{sort}", [6, 5, 4, 3, 2, 1, 0])):
        seen, cursor = [], None
        while True:
            page = _page(filled, sort=asked, limit=3, cursor=cursor)
            seen.extend(_numbers(page))
            if page.next is None:
                break
            cursor = page.next
        assert seen == expected


def test_the_newest_come_first_by_default(filled: Database) -> None:
    _fill(filled, _TIES)
    assert _numbers(_page(filled, limit=2)) == [6, 5]


def test_a_page_that_holds_all_has_no_next(filled: Database) -> None:
    _fill(filled, _TIES)
    assert _page(filled, limit=7).next is None
    assert _page(filled, limit=6).next is not None
    assert len(_page(filled).items) == 7


def test_rows_are_read_by_column_name(filled: Database) -> None:
    _fill(filled, _TIES)
    item = _page(filled, limit=1).items[0]
    assert (item.id, item.number) == (uuid.UUID(int=6), "3")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"number": "1"}, [3, 2]),
        ({"created_at_gte": datetime(2026, 3, 2, 9, 2, tzinfo=UTC)}, [6, 5, 4]),
        ({"created_at_lte": datetime(2026, 3, 2, 9, 0, tzinfo=UTC)}, [1, 0]),
        ({"ids": [uuid.UUID(int=5), uuid.UUID(int=99)]}, [5]),
        ({"number": "1", "ids": [uuid.UUID(int=2)]}, [2]),
    ],
)
def test_filters_narrow_the_list(filled: Database, filters: dict[str, Any], expected: list[int]) -> None:
    _fill(filled, _TIES)
    assert _numbers(_page(filled, **filters)) == expected


def test_what_the_caller_may_not_see_is_not_counted_into_a_page(filled: Database) -> None:
    _fill(filled, _TIES)
    with filled.session() as session:
        page = LISTING.page(session, {"limit": 2}, Link.number != "3")
    assert _numbers(page) == [5, 4]


@pytest.mark.parametrize(
    ("sort", "cursor"),
    [("limit", ["ten", str(uuid.UUID(int=1))]), ("version", ["x", str(uuid.UUID(int=1))]), ("number", ["1"])],
)
def test_a_cursor_of_another_list_is_refused(filled: Database, sort: str, cursor: list[str]) -> None:
    with filled.session() as session, pytest.raises(ValueError, match=r".+"):
        LISTING.page(session, {"sort": sort, "cursor": cursor})


_MOMENTS = st.integers(0, 5)
_ADDED = st.lists(st.tuples(st.integers(100, 10_000), _MOMENTS), max_size=6)


@settings(max_examples=40, deadline=None)
@given(
    at_first=st.lists(_MOMENTS, min_size=1, max_size=15),
    added_between_pages=st.lists(_ADDED, max_size=6),
    limit=st.integers(1, 4),
    descending=st.booleans(),
)
def test_rows_that_come_between_pages_neither_hide_nor_repeat_others(
    filled: Database,
    at_first: list[int],
    added_between_pages: list[list[tuple[int, int]]],
    limit: int,
    descending: bool,
) -> None:
    _fill(filled, [_row(number, minute) for number, minute in enumerate(at_first)])
    known = set(range(len(at_first)))
    seen: list[tuple[datetime, int]] = []
    cursor = None
    with filled.session() as reader, filled.session() as writer:
        while True:
            arguments = {
                "sort": "-created_at" if descending else "created_at",
                "limit": limit,
                "cursor": cursor,
            }
            page = LISTING.page(reader, arguments)
            seen.extend((item.created_at, item.id.int) for item in page.items)
            if page.next is None:
                break
            cursor = page.next
            between = dict(added_between_pages.pop()) if added_between_pages else {}
            fresh = {number: minute for number, minute in between.items() if number not in known}
            _add(writer, [_row(number, minute) for number, minute in fresh.items()])
            writer.commit()
            known |= fresh.keys()
    numbers = [number for _, number in seen]
    assert len(numbers) == len(set(numbers))
    assert set(range(len(at_first))) <= set(numbers) <= known
    assert seen == sorted(seen, reverse=descending)


def test_a_row_that_moves_behind_the_cursor_is_not_seen_twice(filled: Database) -> None:
    _fill(filled, _TIES)
    with filled.session() as session:
        first = LISTING.page(session, {"sort": "created_at", "limit": 3})
        session.execute(delete(Link).where(Link.id == uuid.UUID(int=2)))
        _add(session, [_row(2, minute=0)])
        second = LISTING.page(session, {"sort": "created_at", "limit": 9, "cursor": first.next})
    assert _numbers(first) + _numbers(second) == [0, 1, 2, 3, 4, 5, 6]


def test_times_keep_their_microseconds_in_a_cursor(filled: Database) -> None:
    base = _row(0, minute=1)["created_at"]
    rows = [
        _row(number, minute=1) | {"created_at": base + timedelta(microseconds=number)} for number in range(5)
    ]
    _fill(filled, rows)
    first = _page(filled, sort="created_at", limit=2)
    assert _numbers(_page(filled, sort="created_at", limit=2, cursor=first.next)) == [2, 3]
