"""The cascade against its table, for every combination of counts up to two of each state."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fieldservice.cascade import Outcome, Visit, cascade
from services.fieldservice.skill_match import Member, unmet_needs

STATES = (
    "scheduled",
    "en_route",
    "in_progress",
    "on_break",
    "completed",
    "partially_completed",
    "failed",
    "cancelled",
)


def by_the_table(s: int, w: int, c: int, p: int, f: int) -> Outcome:
    """The table, row by row, as it is written down."""
    rows = (
        (w > 0, Outcome("in_progress")),
        (s > 0 and c + p + f > 0, Outcome("in_progress")),
        (s > 0, Outcome("scheduled")),
        (c > 0, Outcome("completed")),
        (p + f > 0, Outcome("unscheduled", needs_follow_up=True)),
        (True, Outcome("unscheduled")),
    )
    return next(outcome for matches, outcome in rows if matches)


def test_every_combination_of_states_gives_what_the_table_says() -> None:
    for counts in product(range(3), repeat=len(STATES)):
        number = dict(zip(STATES, counts, strict=True))
        visits = [Visit(state) for state, count in number.items() for _ in range(count)]
        expected = by_the_table(
            s=number["scheduled"] + number["en_route"],
            w=number["in_progress"] + number["on_break"],
            c=number["completed"],
            p=number["partially_completed"],
            f=number["failed"],
        )
        assert cascade(visits) == expected, number


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], Outcome("unscheduled")),
        (["cancelled"], Outcome("unscheduled")),
        (["scheduled"], Outcome("scheduled")),
        (["en_route"], Outcome("scheduled")),
        (["on_break"], Outcome("in_progress")),
        (["failed", "scheduled"], Outcome("in_progress")),
        (["completed", "scheduled"], Outcome("in_progress")),
        (["completed", "failed", "partially_completed"], Outcome("completed")),
        (["failed"], Outcome("unscheduled", needs_follow_up=True)),
        (["partially_completed", "cancelled"], Outcome("unscheduled", needs_follow_up=True)),
    ],
)
def test_the_rows_of_the_table(states: list[str], expected: Outcome) -> None:
    assert cascade([Visit(state) for state in states]) == expected


@given(st.lists(st.sampled_from(STATES), max_size=8), st.randoms())
def test_the_order_of_appointments_and_cancelled_ones_do_not_matter(
    states: list[str], random: object
) -> None:
    shuffled = list(states)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    visits = [Visit(state) for state in shuffled if state != "cancelled"]
    assert cascade(visits) == cascade([Visit(state) for state in states])


@pytest.mark.parametrize(
    ("done", "state"), [([1], "unscheduled"), ([2], "unscheduled"), ([1, 2, 3], "completed")]
)
def test_work_of_several_visits_is_completed_by_the_last_one(done: list[int], state: str) -> None:
    visits = [Visit("completed", number) for number in done]
    assert cascade(visits, visits_asked=3) == Outcome(state)


def test_what_ended_before_the_order_was_reopened_does_not_count() -> None:
    old, new = Visit("completed"), Visit("failed", round_no=2)
    assert cascade([old], round_no=2) == Outcome("unscheduled")
    assert cascade([old, new], round_no=2) == Outcome("unscheduled", needs_follow_up=True)
    assert cascade([old, Visit("scheduled", round_no=2)], round_no=2) == Outcome("scheduled")
    assert cascade([old]) == Outcome("completed")


DAY = date(2026, 3, 3)
WELDING = {"skill": "welding", "min_level": 3}


@pytest.mark.parametrize(
    ("level", "until", "fits"),
    [
        (3, None, True),
        (2, None, False),
        (5, "2026-03-03", True),
        (5, "2026-03-02", False),
    ],
)
def test_a_skill_counts_from_its_level_on_and_to_its_last_day(
    level: int, until: str | None, fits: bool
) -> None:
    member = Member("Jonas", "lead", [{"skill": "welding", "level": level, "valid_until": until}])
    lacks = unmet_needs([{"role": "lead", "skills": [WELDING]}], [member], DAY)
    assert lacks == ([] if fits else ["Jonas lacks welding at level 3 on 2026-03-03."])


def test_each_role_needs_somebody_of_its_own() -> None:
    roles = [{"role": "lead", "skills": []}, {"role": "helper", "skills": []}]
    crew = [Member("Jonas", "lead", [])]
    assert unmet_needs(roles, crew, DAY) == ["The visit needs another helper."]
    assert unmet_needs(roles, [*crew, Member("Mia", "helper", [])], DAY) == []
