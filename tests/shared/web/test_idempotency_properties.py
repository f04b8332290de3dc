"""Requests under few keys, with few bodies, at the same time, some of them cut off: one effect a key."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from shared.testing.tokens import bearer
from tests.shared.web.conftest import Note, Suite

ME = uuid.UUID("018f0000-0000-7000-8000-000000000001")
TOGETHER = 20

Request = tuple[str, str]
"""The key and the body."""


@contextmanager
def first_commits_cut_off(count: int) -> Iterator[None]:
    """The database sessions of the first `count` requests that want to commit a note die before they do."""
    left, lock = count, threading.Lock()

    def cut_off(session: Session) -> None:
        nonlocal left
        with lock:
            dies = left > 0 and any(isinstance(each, Note) for each in session.identity_map.values())
            left -= dies
        if dies:
            session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    event.listen(Session, "before_commit", cut_off)
    try:
        yield
    finally:
        event.remove(Session, "before_commit", cut_off)


def _together(send: Callable[[Request], TestResponse], requests: list[Request]) -> list[TestResponse]:
    """The answers to requests that are sent at the same moment."""
    ready = threading.Barrier(len(requests))

    def race(request: Request) -> TestResponse:
        ready.wait(60)
        return send(request)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(race, requests))


@settings(max_examples=8, deadline=None)
@given(
    requests=st.lists(
        st.tuples(st.sampled_from(["k1", "k2"]), st.sampled_from("xyz")), min_size=TOGETHER, max_size=TOGETHER
    ),
    cut_off=st.integers(0, 3),
)
def test_parallel_requests_have_one_effect_a_key_and_one_answer(
    module_suite: Suite, requests: list[Request], cut_off: int
) -> None:
    database = module_suite.runtime.database
    run = str(uuid.uuid4())

    def send(request: Request) -> TestResponse:
        key, subject = request
        headers = bearer(ME, {"*": "all"}) | {"Idempotency-Key": f"{run}-{key}"}
        body = {"subject": f"{run} {key} {subject}"}
        return module_suite.client.post("/v1/notes", json=body, headers=headers)

    def effects(key: str) -> list[Any]:
        with database.session() as session:
            return list(session.scalars(select(Note.subject).where(Note.subject.startswith(f"{run} {key} "))))

    with first_commits_cut_off(cut_off):
        answers = list(zip(requests, _together(send, requests), strict=True))
    died = [answer for _, answer in answers if answer.status_code >= 500]
    assert len(died) <= cut_off
    for key in {key for key, _ in requests}:
        of_key = [(body, answer) for (other, body), answer in answers if other == key]
        made = [(body, answer.data) for body, answer in of_key if answer.status_code == 201]
        assert {answer.status_code for _, answer in of_key} <= {201, 409, 422, 500, 503}
        assert len(set(made)) == len(effects(key)) == min(1, len(made))

        bodies = {body for body, _ in of_key}
        winner, first = made[0] if made else (min(bodies), send((key, min(bodies))).data)
        assert effects(key) == [f"{run} {key} {winner}"]
        for body in bodies:
            again = send((key, body))
            if body == winner:
                assert (again.status_code, again.data) == (201, first)
            else:
                assert (again.status_code, again.json["type"]) == (422, "/problems/idempotency-key-reused")
        assert effects(key) == [f"{run} {key} {winner}"]


def test_a_winner_whose_session_dies_leaves_the_key_to_the_next(module_suite: Suite) -> None:
    database = module_suite.runtime.database
    subject = str(uuid.uuid4())
    headers = bearer(ME, {"*": "all"}) | {"Idempotency-Key": subject}

    def send() -> TestResponse:
        return module_suite.client.post("/v1/notes", json={"subject": subject}, headers=headers)

    def count() -> int:
        with database.session() as session:
            return len(session.scalars(select(Note.id).where(Note.subject == subject)).all())

    with first_commits_cut_off(1):
        assert send().status_code >= 500
        assert count() == 0
        assert send().status_code == 201
    assert count() == 1
