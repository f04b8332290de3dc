"""Following the links of a list to its end, whatever is written and deleted meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from werkzeug.datastructures import MultiDict

from shared.kernel.ids import new_id
from shared.testing.tokens import bearer
from shared.web.pagination import CursorSigner
from shared.web.problems import InvalidCursor
from tests.shared.web.conftest import Note, Suite

ME = uuid.UUID("018f0000-0000-7000-8000-000000000001")
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
SORTS = ("created_at", "-created_at", "subject", "-subject")
# Upper and lower case, accents, marks: whatever the database's order of texts is, pages have to follow it.
_SUBJECTS = ("a", "A", "b", "ä", "a b", "a-b", "ab", "z", "ß", "'", "%", "日")
_notes = st.lists(st.tuples(st.sampled_from(_SUBJECTS), st.integers(0, 3)), max_size=6)


def _write(suite: Suite, notes: list[tuple[str, int]]) -> list[str]:
    """Their ids."""
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "subject": subject,
            "created_at": (at := MORNING + timedelta(microseconds=moment)),
            "updated_at": at,
            "owner_id": ME,
            "state": "open",
            "version": 1,
            "event_no": 0,
            "root_correlation_id": uuid.UUID(int=0),
        }
        for subject, moment in notes
    ]
    if rows:
        with suite.runtime.database.engine.begin() as connection:
            connection.execute(insert(Note.__table__), rows)
    return [str(row["id"]) for row in rows]


def _delete(suite: Suite, ids: list[str]) -> None:
    with suite.runtime.database.engine.begin() as connection:
        connection.execute(delete(Note).where(Note.id.in_(map(uuid.UUID, ids))))


def _pages(suite: Suite, sort: str, limit: int) -> Iterator[list[str]]:
    """The ids on each page, as the links lead from one to the next."""
    query: dict[str, Any] = {"sort": sort, "limit": limit}
    headers = bearer(ME, {"*": "all"})
    while True:
        answer = suite.client.get("/v1/notes", query_string=query, headers=headers)
        assert answer.status_code == 200, answer.text
        yield [item["id"] for item in answer.json["items"]]
        if answer.json["next"] is None:
            return
        query["cursor"] = answer.json["next"]


@settings(max_examples=25, deadline=None)
@given(
    at_first=_notes.filter(bool),
    written=st.lists(_notes, max_size=4),
    deleted=st.lists(st.integers(0, 5), max_size=4),
    sort=st.sampled_from(SORTS),
    limit=st.integers(1, 3),
)
def test_no_row_comes_twice_and_none_that_was_there_all_the_time_is_missing(
    module_suite: Suite,
    at_first: list[tuple[str, int]],
    written: list[list[tuple[str, int]]],
    deleted: list[int],
    sort: str,
    limit: int,
) -> None:
    with module_suite.runtime.database.engine.begin() as connection:
        connection.execute(delete(Note))
    stayed, known = _write(module_suite, at_first), set[str]()
    written, deleted = list(written), list(deleted)
    known |= set(stayed)
    seen: list[str] = []
    for page in _pages(module_suite, sort, limit):
        # The last page is empty where all that was left for it has been deleted.
        assert len(page) <= limit
        seen += page
        if written:
            known |= set(_write(module_suite, written.pop()))
        if deleted and (place := deleted.pop()) < len(stayed):
            _delete(module_suite, [stayed.pop(place)])

    assert len(seen) == len(set(seen))
    assert set(stayed) <= set(seen) <= known
    (in_one,) = _pages(module_suite, sort, 200)
    assert [note for note in seen if note in in_one] == [note for note in in_one if note in seen]


_positions = st.lists(st.text(max_size=20), min_size=1, max_size=3)
_queries = st.dictionaries(
    st.sampled_from(["sort", "state", "cursor", "limit", "fields"]), st.text(max_size=5)
)


@settings(max_examples=50)
@given(position=_positions, query=_queries)
def test_a_cursor_gives_back_its_position(position: list[str], query: dict[str, str]) -> None:
    signer, filters = CursorSigner("secret"), MultiDict(query)
    assert signer.verify(signer.sign(position, "/v1/notes", filters), "/v1/notes", filters) == position


@settings(max_examples=50)
@given(position=_positions, place=st.integers(0, 200), letter=st.sampled_from("aZ09-_"), query=_queries)
def test_a_cursor_of_which_one_letter_is_changed_is_refused_or_the_same(
    position: list[str], place: int, letter: str, query: dict[str, str]
) -> None:
    signer, filters = CursorSigner("secret"), MultiDict(query)
    cursor = signer.sign(position, "/v1/notes", filters)
    place %= len(cursor)
    forged = cursor[:place] + letter + cursor[place + 1 :]
    try:
        # The last letter of base64 may hold bits that stand for nothing.
        assert signer.verify(forged, "/v1/notes", filters) == position
        assert forged[:-1] == cursor[:-1]
    except InvalidCursor:
        assert forged != cursor


@settings(max_examples=50)
@given(position=_positions, query=_queries, other=_queries)
def test_a_cursor_is_good_for_the_filters_it_was_made_for(
    position: list[str], query: dict[str, str], other: dict[str, str]
) -> None:
    signer = CursorSigner("secret")
    cursor = signer.sign(position, "/v1/notes", MultiDict(query))
    kept = [{name: q[name] for name in q.keys() & {"sort", "state"}} for q in (query, other)]
    if kept[0] == kept[1]:
        assert signer.verify(cursor, "/v1/notes", MultiDict(other)) == position
    else:
        with pytest.raises(InvalidCursor):
            signer.verify(cursor, "/v1/notes", MultiDict(other))
