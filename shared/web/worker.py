"""gunicorn's worker, which answers as the API does also where a request does not get as far as the application."""

from __future__ import annotations

import logging
import uuid
from http import HTTPStatus
from typing import Any

import orjson
from gunicorn.workers.gthread import ThreadWorker

from shared.web.problems import problem_types

__all__ = ["Worker"]

_log = logging.getLogger(__name__)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Threads that take requests. What is no HTTP, or too long, gets a problem document instead of a page."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Let gunicorn decide on the status of what went wrong before or around the application."""
        super().handle_error(req, _ProblemSocket(client), addr, exc)


class _ProblemSocket:
    """The caller's socket, on which gunicorn's page becomes a problem document of the same status."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, page: bytes) -> None:
        self._client.sendall(_problem(HTTPStatus(int(page.split(b" ", 2)[1]))))


def _problem(status: HTTPStatus) -> bytes:
    """The whole answer, as RFC 9112 has it."""
    kind = problem_types()["bad-request" if status < 500 else "internal-error"]
    trace_id = uuid.uuid4().hex
    _log.warning("a request did not reach the application: %d", status, extra={"trace_id": trace_id})
    body = orjson.dumps(
        {
            "type": f"/problems/{kind.slug}",
            "title": kind.title,
            "status": int(status),
            "detail": f"{status.description or status.phrase}.",
            "trace_id": trace_id,
        }
    )
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n\r\n"
    )
    return head.encode("ascii") + body
