"""When to try again, for any number of failures at any time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.retry import HANDLER_DELAYS, next_attempt, relay_delay

_moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_failures = st.integers(1, 200)


@given(failures=_failures, now=_moments)
def test_a_handler_waits_as_long_as_the_schedule_says_or_a_tenth_longer_and_then_no_more(
    failures: int, now: datetime
) -> None:
    again = next_attempt(failures, now)
    if failures > len(HANDLER_DELAYS):
        assert again is None
    else:
        delay = timedelta(seconds=HANDLER_DELAYS[failures - 1])
        assert again is not None
        assert delay <= again - now <= delay * 1.1


@given(failures=_failures, now=_moments)
def test_what_is_never_given_up_waits_no_longer_than_the_longest_pause(failures: int, now: datetime) -> None:
    again = next_attempt(failures, now, final=False)
    delay = timedelta(seconds=HANDLER_DELAYS[min(failures, len(HANDLER_DELAYS)) - 1])
    assert again is not None
    assert delay <= again - now <= delay * 1.1


@given(failures=st.integers(1, 6), now=_moments)
def test_every_further_failure_waits_longer(failures: int, now: datetime) -> None:
    sooner, later = next_attempt(failures, now), next_attempt(failures + 1, now)
    assert sooner is not None
    assert later is not None
    assert sooner < later


@given(failures=st.integers(1, 10**9))
def test_the_relay_waits_between_a_fifth_of_a_second_and_half_a_minute(failures: int) -> None:
    expected = 0.2
    for _ in range(min(failures - 1, 20)):
        expected = min(30.0, expected * 2)
    assert expected <= relay_delay(failures) <= expected * 1.1
