"""Case numbers that can be said on the phone: a counter and a check digit, `1000423-2`."""

from __future__ import annotations

__all__ = ["case_number", "luhn_digit"]


def luhn_digit(number: int) -> int:
    """The check digit of ISO/IEC 7812-1 annex B (Luhn): it finds every wrong digit and most swapped neighbours."""
    total = 0
    for position, digit in enumerate(map(int, reversed(str(number)))):
        doubled = digit * 2 if position % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return -total % 10


def case_number(counter: int) -> str:
    """The number shown for the counter's value."""
    return f"{counter}-{luhn_digit(counter)}"
