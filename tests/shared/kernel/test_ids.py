"""Identifiers that sort by the time they were made."""

from __future__ import annotations

import threading
import time
import uuid

from shared.kernel.ids import new_id


def test_an_id_is_a_plain_uuid_of_version_7() -> None:
    made = new_id()
    assert type(made) is uuid.UUID
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


def test_ids_of_one_thread_rise() -> None:
    made = [new_id() for _ in range(2_000)]
    assert made == sorted(made)
    assert [str(each) for each in made] == sorted(str(each) for each in made)


def test_an_id_tells_the_millisecond_it_was_made_in() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = new_id().int >> 80
    # A burst of ids may run ahead of the clock by as many milliseconds as it needs to keep rising.
    assert before <= milliseconds <= time.time_ns() // 1_000_000 + 5_000


def test_threads_never_get_the_same_id() -> None:
    made: list[uuid.UUID] = []
    threads = [
        threading.Thread(target=lambda: made.extend([new_id() for _ in range(1_000)])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8_000
