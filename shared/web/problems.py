"""Every error as `application/problem+json` (RFC 9457), and the catalogue of problem types behind
`/problems/<slug>`.

Domain errors name their problem type; what the library of the database or the framework raises is translated
here. Nothing of an exception's own text leaves the service unless it was written for the caller."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import orjson
import psycopg.errors
import sqlalchemy.exc
from flask import Flask, Response, request
from opentelemetry import trace
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from shared.kernel.errors import (
    Conflict,
    DomainError,
    Invalid,
    NotFound,
    NotPermitted,
    Retriable,
    Stale,
    Unavailable,
)
from shared.web.context import current

__all__ = [
    "BadRequest",
    "IdempotencyConflict",
    "IdempotencyKeyReused",
    "PreconditionRequired",
    "Refusal",
    "TooManyRequests",
    "Unauthorized",
    "UnsupportedMediaType",
    "Validation",
    "install",
    "problem_types",
]

K = TypeVar("K")

_log = logging.getLogger(__name__)

# The first kind that fits decides, so the special ones stand before the general ones.
_STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (NotFound, 404),
    (Stale, 412),
    (Invalid, 422),
    (NotPermitted, 403),
    (Retriable, 503),
    (Conflict, 409),
    (DomainError, 409),
)


class Refusal(Exception):
    """A refusal of the request itself, before any domain code has seen it."""

    status: ClassVar[int] = 400
    problem: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "The request is malformed"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra


class BadRequest(Refusal):
    """The request cannot be read: broken JSON, a NUL character, nesting deeper than 32, a malformed
    header."""


class InvalidCursor(Refusal):
    """The cursor is not one that this list gave out with these filters. Start again without a cursor."""

    problem = "invalid-cursor"
    title = "The cursor does not belong to this list"


class Unauthorized(Refusal):
    """The bearer token is missing, not valid, expired or revoked. Ask the identity service for a new one."""

    status = 401
    problem = "unauthorized"
    title = "A valid access token is needed"

    def __init__(self, detail: str, challenge: str = 'error="invalid_token"', **extra: Any) -> None:
        header = {"WWW-Authenticate": f"Bearer {challenge}".strip()}
        super().__init__(detail, headers=header, **extra)


class Validation(Refusal):
    """Fields have wrong values; `errors` names each with a JSON pointer."""

    status = 422
    problem = "invalid"
    title = "Some values are not valid"

    def __init__(self, errors: Iterable[Mapping[str, str]]) -> None:
        super().__init__(
            "Correct the fields named in errors and send the request again.", errors=list(errors)
        )


class PreconditionRequired(Refusal):
    """The change needs an If-Match header with the ETag of the version it is based on."""

    status = 428
    problem = "precondition-required"
    title = "If-Match is missing"


class UnsupportedMediaType(Refusal):
    """The body is not of the media type that the route reads."""

    status = 415
    problem = "unsupported-media-type"
    title = "The body has the wrong media type"


class TooManyRequests(Refusal):
    """The caller sends more than its rate limit allows; Retry-After says when to go on."""

    status = 429
    problem = "too-many-requests"
    title = "Too many requests"


class IdempotencyKeyReused(Refusal):
    """The Idempotency-Key was used for a different request. Choose a new key for a new request."""

    status = 422
    problem = "idempotency-key-reused"
    title = "The key belongs to another request"


class IdempotencyConflict(Refusal):
    """An equal request is being worked on at this moment. Ask again shortly."""

    status = 409
    problem = "request-in-progress"
    title = "The same request is in progress"


class AnswerLost(Refusal):
    """An equal request took effect, and its answer, which holds a secret, was not kept. Read the records named in
    `effects`."""

    status = 409
    problem = "answer-lost"
    title = "The request took effect, its answer was not kept"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A documented kind of error."""

    slug: str
    title: str
    status: int
    says: str


_FIXED = (
    ProblemType(
        "method-not-allowed", "The method is not allowed here", 405, "The Allow header lists what is."
    ),
    ProblemType(
        "payload-too-large", "The body is too large", 413, "Bodies may have 1 MiB unless the route says more."
    ),
    ProblemType("conflict", Conflict.title, 409, "The stored data does not allow this change."),
    ProblemType(
        "internal-error", "Something went wrong here", 500, "Our mistake; it is logged under the trace id."
    ),
)


def _family(kind: type[K]) -> Iterator[type[K]]:
    """`kind` and every class derived from it."""
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


def status_of(kind: type[DomainError]) -> int:
    """The HTTP status of a kind of domain error."""
    return next(status for parent, status in _STATUS if issubclass(kind, parent))


def problem_types() -> dict[str, ProblemType]:
    """Every problem type that the loaded code can answer, by slug."""
    found = {fixed.slug: fixed for fixed in _FIXED}
    for kind in _family(DomainError):
        found.setdefault(kind.problem, ProblemType(kind.problem, kind.title, status_of(kind), _says(kind)))
    for refusal in _family(Refusal):
        found.setdefault(
            refusal.problem, ProblemType(refusal.problem, refusal.title, refusal.status, _says(refusal))
        )
    return found


def _says(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


@cache
def _documented() -> dict[str, ProblemType]:
    return problem_types()


def problem_response(
    slug: str,
    title: str,
    status: int,
    detail: str,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document about the current request."""
    document = {
        "type": f"/problems/{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": quote(request.path),
        "trace_id": _trace_id(),
        **(extra or {}),
    }
    answer = Response(
        orjson.dumps(document, default=str), status=status, content_type="application/problem+json"
    )
    answer.headers.update(headers or {})
    return answer


def _trace_id() -> str:
    span = trace.get_current_span().get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else current().correlation_id.hex


def install(app: Flask) -> None:
    """Answer every error of `app` with a problem document, and serve the documentation of the types."""
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(DomainError, _domain_error)
    app.register_error_handler(StaleDataError, _stale)
    app.register_error_handler(sqlalchemy.exc.SQLAlchemyError, _database_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)


def _refused(error: Refusal) -> Response:
    return problem_response(
        error.problem, error.title, error.status, error.detail, error.extra, error.headers
    )


def _domain_error(error: DomainError) -> Response:
    status = status_of(type(error))
    headers = {"Retry-After": str(getattr(error, "retry_after", 2))} if status == 503 else None
    return problem_response(error.problem, error.title, status, error.detail, error.extra, headers)


def _stale(error: StaleDataError) -> Response:
    return _domain_error(
        Stale("Somebody else changed the record meanwhile. Read it again and repeat your change.")
    )


def _database_error(error: sqlalchemy.exc.SQLAlchemyError) -> Response:
    cause = getattr(error, "orig", None)
    match error:
        case sqlalchemy.exc.IntegrityError():
            _log.warning("a constraint refused a change: %s", type(cause).__name__, exc_info=error)
            return _domain_error(Conflict("The change contradicts stored data. Read the records again."))
        case sqlalchemy.exc.DataError():
            return _domain_error(Invalid("A value does not fit into the field that stores it."))
    if isinstance(cause, psycopg.errors.QueryCanceled):
        return _domain_error(
            Unavailable("The database took too long. Narrow the request or try again.", retry_after=5)
        )
    if isinstance(cause, psycopg.errors.LockNotAvailable | psycopg.errors.TransactionRollback):
        return _domain_error(Unavailable("Others are changing the same records. Try again.", retry_after=1))
    away = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError)
    if isinstance(error, away) or getattr(error, "connection_invalidated", False):
        _log.warning("the database is away: %s", type(cause or error).__name__)
        return _domain_error(Unavailable("The database cannot be reached at the moment. Try again shortly."))
    return _unexpected(error)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    slugs = {
        404: "not-found",
        405: "method-not-allowed",
        413: "payload-too-large",
        415: "unsupported-media-type",
    }
    if status < 400:
        return Response(error.get_response().get_data(), status, error.get_headers())
    if status >= 500:
        return _unexpected(error)
    kind = _documented()[slugs.get(status, "bad-request")]
    match error:
        case MethodNotAllowed(valid_methods=allowed) if allowed:
            return problem_response(
                kind.slug, kind.title, 405, kind.says, headers={"Allow": ", ".join(sorted(allowed))}
            )
        case RequestEntityTooLarge():
            return problem_response(kind.slug, kind.title, 413, kind.says, headers={"Connection": "close"})
    detail = "There is nothing at this address." if status == 404 else kind.says
    return problem_response(kind.slug, kind.title, status, detail)


def _unexpected(error: Exception) -> Response:
    _log.error("unexpected error", exc_info=error)
    kind = _documented()["internal-error"]
    return problem_response(
        kind.slug, kind.title, 500, "The error is logged under the trace id; it is not your request's fault."
    )


def page(slug: str) -> Response | None:
    """The documentation of one problem type as a small page; None for an unknown slug."""
    kind = _documented().get(slug)
    if kind is None:
        return None
    title, says = escape(kind.title), re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(kind.says))
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="/docs/docs.css"><h1>{title}</h1><p>{says}</p>'
        f"<p>Type <code>/problems/{escape(kind.slug)}</code>, HTTP status {kind.status}.</p></html>"
    )
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'"}
    return Response(body, content_type="text/html; charset=utf-8", headers=policy)
