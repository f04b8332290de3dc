"""Clients that keep a server busy: processes of their own, so that they share nothing with what they measure."""

from __future__ import annotations

import http.client
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CLIENTS", "Compared", "Load", "Request", "compare", "rate"]

CLIENTS = 4
_TIMEOUT = 30.0
# gunicorn's workers accept connections as they come, so that few and long ones may all end up with one worker.
# New ones now and then let the workers share the load as they would share that of many clients.
_REQUESTS_PER_CONNECTION = 20

_forking = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it goes over the wire."""

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients ask of the server on a loopback port: `requests(n)` are those of client n, one by one."""

    port: int
    requests: Callable[[int], Iterator[Request]]


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians over the rounds: requests a second of ours and of the raw server, and ours / raw of one round."""

    ours: float
    raw: float
    ratio: float


def compare(rounds: Iterable[tuple[Load, Load]], *, seconds: float) -> Compared:
    """Let ours and the raw server work in turns, so that whatever else the machine does falls on both.

    `rounds`: what each is asked in a round of that many seconds. The first one warms both up and does not count.
    """
    pairs = [(rate(ours, seconds), rate(raw, seconds)) for ours, raw in rounds][1:]
    return Compared(
        statistics.median(first for first, _ in pairs),
        statistics.median(second for _, second in pairs),
        statistics.median(first / second for first, second in pairs),
    )


def rate(load: Load, seconds: float) -> float:
    """Requests a second that all clients together get answered. Raises RuntimeError for an answer of 400 and up."""
    start = _forking.Barrier(CLIENTS)
    results = _forking.Queue()
    clients = [
        _forking.Process(target=_client, args=(load, number, seconds, start, results), daemon=True)
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    outcomes = [results.get(timeout=seconds + 2 * _TIMEOUT) for _ in clients]
    for client in clients:
        client.join()
    for outcome in outcomes:
        if isinstance(outcome, str):
            raise RuntimeError(outcome)
    return sum(outcomes)


def _client(load: Load, number: int, seconds: float, start: Any, results: Any) -> None:
    try:
        requests = load.requests(number)
        start.wait(_TIMEOUT)
        results.put(_ask(load.port, requests, seconds))
    except Exception as failure:  # the parent waits for an answer of every client
        start.abort()
        results.put(f"{type(failure).__name__}: {failure}")


def _ask(port: int, requests: Iterator[Request], seconds: float) -> float:
    """Ask until the time is over or nothing is left to ask; requests a second."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    asked, began = 0, time.perf_counter()
    for request in requests:
        if asked % _REQUESTS_PER_CONNECTION == 0:
            connection.close()
        connection.request(request.method, request.path, request.body, dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{request.method} {request.path}: {answer.status} {content[:500]!r}")
        asked += 1
        if time.perf_counter() - began >= seconds:
            break
    elapsed = time.perf_counter() - began
    connection.close()
    return asked / elapsed
