"""Refusals and what they carry."""

from __future__ import annotations

import pytest

from shared.kernel.errors import (
    Conflict,
    DomainError,
    IllegalState,
    Invalid,
    NotFound,
    Permanent,
    Retriable,
    Stale,
    Unavailable,
)


def test_a_refusal_says_what_to_do_and_carries_its_members() -> None:
    error = Conflict("Choose another number.", taken_by="a")
    assert (str(error), error.detail, error.extra) == (
        "Choose another number.",
        "Choose another number.",
        {"taken_by": "a"},
    )
    assert (error.problem, error.title) == ("conflict", "The request contradicts the stored state")


def test_an_illegal_state_names_the_state_and_the_allowed_verbs() -> None:
    error = IllegalState("It is closed.", state="closed", allowed=("reopen",))
    assert isinstance(error, Conflict)
    assert error.extra == {"state": "closed", "allowed": ["reopen"]}


def test_a_lost_race_tells_the_present_version_where_it_is_known() -> None:
    assert Stale("Read it again.", current_version=3).extra == {"current_version": 3}
    assert Stale("Read it again.").extra == {}


def test_wrong_values_point_at_their_fields() -> None:
    error = Invalid.field("/lines/0/quantity", "must be more than zero")
    assert error.extra == {"errors": [{"pointer": "/lines/0/quantity", "detail": "must be more than zero"}]}
    assert error.detail == "must be more than zero"


def test_what_is_away_may_be_asked_again() -> None:
    error = Unavailable("The ERP is away.", retry_after=30)
    assert isinstance(error, Retriable)
    assert error.retry_after == 30


def test_a_slice_derives_its_own_problem() -> None:
    class QuoteExpired(Conflict):
        problem = "quote-expired"
        title = "The quote has expired"

    assert QuoteExpired("Ask for a new one.").problem == "quote-expired"
    assert issubclass(QuoteExpired, DomainError)


@pytest.mark.parametrize("kind", [NotFound, Conflict, Invalid, Stale])
def test_only_what_may_succeed_later_is_retriable(kind: type[DomainError]) -> None:
    assert not issubclass(kind, Retriable)
    assert not issubclass(kind, Permanent)
