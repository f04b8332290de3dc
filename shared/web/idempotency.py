"""Idempotency keys: an equal POST sent again gets the first answer, and has no second effect.

The key and the answer are written by the unit of work in the transaction that makes the effect. An advisory lock that
lives as long as that transaction keeps an equal request out meanwhile."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Response, request
from sqlalchemy import delete, select

from shared.db.locks import try_hold
from shared.db.plumbing import IDEMPOTENCY_KEYS
from shared.db.unit_of_work import IdempotencyClaim
from shared.web.context import RequestContext, unit_of_work
from shared.web.problems import AnswerLost, BadRequest, IdempotencyConflict, IdempotencyKeyReused

__all__ = ["KEPT_FOR", "answer_once", "claim_request"]

KEPT_FOR = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")


def claim_request(context: RequestContext, key: str) -> tuple[IdempotencyClaim, Response | None]:
    """Claim `key` for the request at work. The second value is the answer to send when it was answered
    before.

    Raises IdempotencyConflict (in progress), IdempotencyKeyReused (other request), AnswerLost (it is not kept),
    BadRequest.
    """
    if not _KEY.fullmatch(key):
        raise BadRequest("An Idempotency-Key is 1 to 255 printable characters without spaces and commas.")
    claim = IdempotencyClaim(_client(context), key, _fingerprint())
    uow = unit_of_work()
    session = uow.session
    if not try_hold(session, f"idempotency {claim.client} {claim.key}"):
        raise _in_progress()
    table = IDEMPOTENCY_KEYS.c
    row = session.execute(
        select(IDEMPOTENCY_KEYS).where(table.client == claim.client, table.key == claim.key)
    ).one_or_none()
    if row is not None and row.created_at <= uow.clock.now() - KEPT_FOR:
        session.execute(delete(IDEMPOTENCY_KEYS).where(table.client == claim.client, table.key == claim.key))
        row = None
    if row is None:
        uow.idempotency = claim
        return claim, None
    return claim, _replay(row, claim)


def _replay(row: Any, claim: IdempotencyClaim) -> Response:
    if row.fingerprint != claim.fingerprint:
        raise IdempotencyKeyReused("Use a new Idempotency-Key for a different request.")
    if row.status is None:
        raise AnswerLost(
            "The request took effect. Read the records named in effects instead of sending it again.",
            effects=row.effects,
        )
    return Response(row.answer, row.status, {**row.answer_headers, "Idempotency-Replayed": "true"})


def answer_once(
    claim: IdempotencyClaim, ask: Callable[[], Any], shape: Callable[[Any], Response]
) -> Response:
    """What `shape` makes of the result of `ask`, in one transaction with the effect: the answer is kept exactly when
    the effect is. One that the view marked `Cache-Control: no-store` (a secret that is shown once) is not kept, and
    nothing is of a refusal: it may be sent again, corrected."""
    with unit_of_work() as uow:
        answer = shape(ask())
        if answer.status_code >= 400:
            uow.idempotency = None
        elif not answer.is_streamed and not answer.cache_control.no_store:
            kept = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
            uow.idempotency = replace(
                claim, status=answer.status_code, answer_headers=kept, answer=answer.get_data()
            )
    return answer


def _in_progress() -> IdempotencyConflict:
    return IdempotencyConflict(
        "The first request with this key is at work; ask again.", headers={"Retry-After": "1"}
    )


def _client(context: RequestContext) -> str:
    if context.principal is None:
        return f"door {request.remote_addr}"
    return f"{context.principal.client_id} {context.principal.subject}"


def _fingerprint() -> bytes:
    head = f"{request.method}\x00{request.full_path}\x00".encode()
    return hashlib.sha256(head + request.get_data(cache=True)).digest()
