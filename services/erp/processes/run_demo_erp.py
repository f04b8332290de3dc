"""The demo ERP at work: the server that its port talks to, and what it does by itself.

Requests and answers are bytes, each request runs in a thread and transactions of its own, so a caller who stops
waiting, or gets a 500, cannot know whether the commit happened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from services.erp.demo_erp import use_cases
from services.erp.demo_erp.errors import DemoRefusal
from services.erp.demo_erp.model import Effects
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.loop import Loop

__all__ = ["DemoErpServer", "DemoErpWork"]

WORK_SECONDS = 0.1


class DemoErpServer:
    """Answers requests as a server elsewhere would. `caller_waits` and `gives_up_after` in seconds: a request goes on
    when its caller has left, until the server itself gives it up. `step`: how long the ERP takes for each of its own
    steps."""

    def __init__(
        self,
        open_unit_of_work: Callable[[], UnitOfWork],
        *,
        caller_waits: float,
        gives_up_after: float,
        step: timedelta,
    ) -> None:
        self._open = open_unit_of_work
        self._caller_waits = caller_waits
        self._gives_up_after = gives_up_after
        self._step = step

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Answer a request. Raises ConnectionRefusedError while the ERP is down, TimeoutError when it is slow."""
        if use_cases.is_down(self._open()):
            raise ConnectionRefusedError("The demo ERP is down")
        answer: Future[tuple[int, bytes]] = Future()

        def work() -> None:
            try:
                answer.set_result(self._answer(method, path, body))
            except BaseException as error:
                answer.set_exception(error)

        # A thread of its own goes on when the caller has stopped waiting, and ends with the process.
        threading.Thread(target=work, name="demo erp request", daemon=True).start()
        return answer.result(timeout=self._caller_waits)

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        address = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        try:
            match (method, *address.path.strip("/").split("/")):
                case ("GET", "documents"):
                    return _said(
                        200, {"documents": use_cases.find_documents(query["reference"], self._open())}
                    )
                case ("GET", "changes"):
                    documents, cursor = use_cases.changes_since(int(query["after"]), self._open())
                    return _said(200, {"documents": documents, "cursor": str(cursor)})
                case ("POST", "documents"):
                    return self._create(orjson.loads(body))
                case ("POST", "documents", document_id, ("confirm" | "cancel") as step):
                    return self._decide(int(document_id), step)
                case _:
                    return _said(404, {"code": "no_such_address", "text": f"{method} {address.path}"})
        except DemoRefusal as refusal:
            return _said(422, {"code": refusal.code, "text": refusal.detail})

    def _create(self, order: dict[str, Any]) -> tuple[int, bytes]:
        effects = use_cases.effects_on("create", use_cases.describe(order), self._open())
        return self._act(effects, lambda: use_cases.create_document(order, effects, self._open()))

    def _decide(self, document_id: int, step: str) -> tuple[int, bytes]:
        effects = use_cases.effects_on(step, use_cases.facts_of(document_id, self._open()), self._open())
        return self._act(
            effects, lambda: use_cases.decide_document(document_id, step, effects, self._step, self._open())
        )

    def _act(self, effects: Effects, act: Callable[[], dict[str, Any]]) -> tuple[int, bytes]:
        if "down" in effects:
            raise ConnectionRefusedError("The demo ERP went down")
        if "error_before" in effects:
            return _said(500, {"code": "internal_error", "text": "It broke before anything was done"})
        if "slow" in effects:
            seconds = float(effects["slow"]["seconds"])
            time.sleep(min(seconds, self._gives_up_after))
            if seconds > self._gives_up_after:
                return _said(504, {"code": "gave_up", "text": "The request took too long and was given up"})
        done = act()
        if "error_after_commit" in effects:
            return _said(500, {"code": "internal_error", "text": "It broke after everything was done"})
        return _said(200, done)


class DemoErpWork(Loop):
    """Ships, invoices and gets paid, as time goes by. `on_change` is called when something moved."""

    def __init__(
        self, open_unit_of_work: Callable[[], UnitOfWork], step: timedelta, on_change: Callable[[], None]
    ) -> None:
        super().__init__("demo erp", interval=WORK_SECONDS)
        self._open = open_unit_of_work
        self._step = step
        self._on_change = on_change

    def step(self) -> bool:
        moved = use_cases.advance_due_documents(self._step, self._open())
        if moved:
            self._on_change()
        return moved > 0


def _said(status: int, body: dict[str, Any]) -> tuple[int, bytes]:
    return status, orjson.dumps(body)
