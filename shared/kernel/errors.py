"""Errors that mean something to the caller. Which HTTP status one becomes is decided in `shared.web`.

A slice derives its own errors from these kinds and names its problem type: the slug under which the error
is documented. Message handlers treat a `DomainError` as permanent (trying again gives the same answer) unless
it is `Retriable` or a lost race (`Stale`); any other exception is taken as unknown and is retried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

__all__ = [
    "Conflict",
    "DomainError",
    "IllegalState",
    "Invalid",
    "NotFound",
    "NotPermitted",
    "Permanent",
    "Retriable",
    "Stale",
    "Unavailable",
]


class DomainError(Exception):
    """A refusal with a reason. `detail` says what to do; `extra` are members of the problem document."""

    problem: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request was refused"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class NotFound(DomainError):
    """There is no such record, or the caller may not see it: both look the same."""

    problem = "not-found"
    title = "There is no such record"


class Conflict(DomainError):
    """The request contradicts what is stored."""

    problem = "conflict"
    title = "The request contradicts the stored state"


class IllegalState(Conflict):
    """The verb is not allowed in the record's present state."""

    problem = "illegal-state"
    title = "Not allowed in this state"

    def __init__(self, detail: str, *, state: str, allowed: Sequence[str], **extra: Any) -> None:
        super().__init__(detail, state=state, allowed=list(allowed), **extra)


class Stale(DomainError):
    """Somebody else changed the record first."""

    problem = "stale"
    title = "The record has changed since you read it"

    def __init__(self, detail: str, *, current_version: int | None = None, **extra: Any) -> None:
        super().__init__(detail, **({"current_version": current_version} if current_version else {}), **extra)


class Invalid(DomainError):
    """The values do not hold together. `errors`: a list of
    `{"pointer": "/lines/0/quantity", "detail": ...}`."""

    problem = "invalid"
    title = "Some values are not valid"

    def __init__(self, detail: str, *, errors: Sequence[dict[str, str]] = (), **extra: Any) -> None:
        super().__init__(detail, errors=list(errors), **extra)

    @classmethod
    def field(cls, pointer: str, detail: str) -> Invalid:
        """One wrong field."""
        return cls(detail, errors=[{"pointer": pointer, "detail": detail}])


class NotPermitted(DomainError):
    """The caller lacks a permission; the detail names it."""

    problem = "not-permitted"
    title = "You may not do this"


class Retriable(DomainError):
    """Not now: the same request may succeed later."""

    problem = "try-again"
    title = "Try again later"


class Unavailable(Retriable):
    """Something this needs is away. `retry_after`: seconds."""

    problem = "unavailable"
    title = "A part of the service is away"

    def __init__(self, detail: str, *, retry_after: int = 2, **extra: Any) -> None:
        super().__init__(detail, **extra)
        self.retry_after = retry_after


class Permanent(Exception):
    """Raised by message handlers: trying again cannot help."""
