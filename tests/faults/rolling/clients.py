"""People at work on a suite: they never ask twice, and every answer is noted."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
from rich.console import Console

from deploy.local.client import SuiteClient
from deploy.local.demo_flow import (
    Cast,
    Deal,
    accept_lead,
    accept_offer,
    ask_for_demonstration,
    known_deal,
    send_offer,
)
from deploy.local.demo_story import Chapter, Story
from deploy.local.suite import LocalSuite
from tests.faults.rolling.next_version import VERSION_HEADER

__all__ = ["Answer", "Clients"]

_PAUSE_SECONDS = 0.3
_LAST_SECONDS = 60.0
_LISTS = (
    ("identity", "/v1/users"),
    ("sales", "/v1/opportunities"),
    ("marketing", "/v1/leads"),
    ("support", "/v1/contracts"),
    ("fieldservice", "/v1/work-orders"),
    ("analytics", "/v1/pipeline-summary"),
    ("erp", "/v1/demo-erp/documents"),
    ("web", "/"),
)


@dataclass(frozen=True)
class Answer:
    """What became of a request. `status` 0: there was no answer, and `says` tells why. `version` is empty where this
    version answered."""

    service: str
    request: str
    status: int
    version: str
    says: str

    @property
    def failed(self) -> bool:
        """Whether the suite owed more than this."""
        return self.status in (0, 429) or self.status >= 500


class _Noting(httpx.BaseTransport):
    """Sends requests, once, and notes the answers. Without `keep_alive` each has a connection of its own."""

    def __init__(self, suite: LocalSuite, note: Callable[[Answer], None], *, keep_alive: bool) -> None:
        kept = 20 if keep_alive else 0
        self._inner = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=kept))
        self._services = {suite.ports.http(service): service for service in suite.services}
        self._note = note

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        service = self._services[request.url.port or 0]
        asked = f"{request.method} {request.url.path}"
        try:
            response = self._inner.handle_request(request)
            response.read()
        except httpx.TransportError as failure:
            self._note(Answer(service, asked, 0, "", f"{type(failure).__name__}: {failure}"))
            raise
        version = response.headers.get(VERSION_HEADER, "")
        says = "" if response.is_success else response.text[:300]
        self._note(Answer(service, asked, response.status_code, version, says))
        return response

    def close(self) -> None:
        self._inner.close()


class Clients:
    """While the block lasts, sellers win deals, readers read lists of every service and others create records.

    `sold` are the deals that were acknowledged as won, `answers` everything that was asked, `problems` what kept
    somebody from going on.
    """

    def __init__(self, suite: LocalSuite, folder: Path) -> None:
        self.suite = suite
        self.answers: list[Answer] = []
        self.sold: list[Deal] = []
        self.repeated = 0
        self.problems: list[str] = []
        self._folder = folder
        self._ended = threading.Event()
        works = (
            (self._sell, True),
            (self._sell, False),
            (self._sell_to_stranger, True),
            (self._read, True),
            (self._read, False),
            (self._create, False),
        )
        self._threads = [
            threading.Thread(target=self._work, args=(work, keep_alive), daemon=True)
            for work, keep_alive in works
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_LAST_SECONDS)
        if any(thread.is_alive() for thread in self._threads):
            self.problems.append(f"somebody was not done {_LAST_SECONDS:.0f} s after the end")

    @property
    def failed(self) -> list[Answer]:
        """The requests that failed."""
        return [answer for answer in self.answers if answer.failed]

    def _work(self, work: Callable[[Cast], None], keep_alive: bool) -> None:
        transport = _Noting(self.suite, self.answers.append, keep_alive=keep_alive)
        with httpx.Client(transport=transport, timeout=30) as http:
            cast = Cast(self.suite, SuiteClient(self.suite, http=http, patience=0))
            while not self._ended.is_set():
                try:
                    work(cast)
                except Exception as why:
                    self.problems.append(f"{work.__name__}: {type(why).__name__}: {why}")
                self._ended.wait(_PAUSE_SECONDS)

    def _sell(self, cast: Cast) -> None:
        chapter = self._chapter()
        self._close(cast, chapter, known_deal(cast, chapter, f"{_name()} AG", "A line of arms"))

    def _sell_to_stranger(self, cast: Cast) -> None:
        chapter = self._chapter()
        self._close(cast, chapter, accept_lead(cast, chapter, ask_for_demonstration(cast, chapter)))

    def _close(self, cast: Cast, chapter: Chapter, deal: Deal) -> None:
        accept_offer(cast, chapter, deal, send_offer(cast, chapter, deal))
        self.sold.append(deal)

    def _read(self, cast: Cast) -> None:
        for service, path in _LISTS:
            if service == "web":
                cast.admin.open_door(service, "HEAD", path)
            else:
                cast.admin.get(service, path)

    def _create(self, cast: Cast) -> None:
        """Create a record, and once more under the same key: it is the same record, whoever answers."""
        for service, path in (("sales", "/v1/accounts"), ("identity", "/v1/teams")):
            body, key = {"name": _name()}, uuid.uuid4().hex
            made, again = (cast.admin.post(service, path, body, **{"Idempotency-Key": key}) for _ in range(2))
            if made["id"] != again["id"]:
                self.problems.append(f"{path} was carried out twice under the key {key}")
            self.repeated += 1

    def _chapter(self) -> Chapter:
        story = Story(self._folder / f"{_name()}.json", self.suite.bus, Console(quiet=True))
        return story.chapter("a deal")


def _name() -> str:
    return f"Kunde-{uuid.uuid4().hex[:12]}"
