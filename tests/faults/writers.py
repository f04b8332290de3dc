"""Those who move money while a fault is at work, and write down what they asked for and what they were told."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.exc import SQLAlchemyError

from shared.kernel.errors import Stale
from shared.kernel.ids import new_id
from shared.service import Runtime
from tests.faults import ledger
from tests.faults.checker import Operation, State

__all__ = ["History", "HttpWriter", "Recorded", "SqlWriter", "Writer", "all_of"]

_AGAIN = 0.1
_REQUEST_SECONDS = 10.0


@dataclass(frozen=True)
class Recorded:
    """A call for an operation: its path and body, and what it should do."""

    kind: str
    name: str
    keys: tuple[str, ...]
    put_in: int
    facts: int
    path: str
    body: dict[str, Any]


class History:
    """What writers asked for and were told, a line of JSON each, as it happened."""

    def __init__(self, file: Path) -> None:
        self._lines = file.open("w")
        self._lock = threading.Lock()
        self._operations: dict[str, Operation] = {}
        self._answered: list[float] = []

    def asked(self, call: Recorded) -> None:
        """A writer is about to ask."""
        self._note(call, "invoke", {"keys": call.keys, "body": call.body})
        self._set(call, "info")

    def told(self, call: Recorded, state: State, **details: Any) -> None:
        """A writer was told something, or gave up (`info`)."""
        self._note(call, state, details)
        self._set(call, state)
        if state != "info":
            self._answered.append(time.monotonic())

    def _set(self, call: Recorded, state: State) -> None:
        with self._lock:
            self._operations[call.name] = Operation(
                call.name, call.kind, call.keys, call.put_in, call.facts, state
            )

    def _note(self, call: Recorded, event: str, details: dict[str, Any]) -> None:
        line = {"at": time.time(), "event": event, "kind": call.kind, "operation": call.name, **details}
        with self._lock:
            self._lines.write(json.dumps(line, default=str) + "\n")
            self._lines.flush()

    def operations(self) -> list[Operation]:
        """Every operation with the last that is known of it."""
        with self._lock:
            return list(self._operations.values())

    def answered_since(self, moment: float) -> int:
        """How many operations were answered since a moment of the monotonic clock."""
        return sum(at >= moment for at in self._answered)

    def close(self) -> None:
        """End the file."""
        self._lines.close()


class Writer(ABC):
    """One that chooses operations by a seed. `purses`: those that all writers of a run know of, growing."""

    def __init__(self, name: str, seed: int, purses: list[str], history: History, pause: float) -> None:
        self.name = name
        self._chance = random.Random(f"{seed} {name}")
        self._purses = purses
        self._history = history
        self._pause = pause
        self._number = 0

    def create(self) -> None:
        """Make a purse; when it is there for certain, the others may use it."""
        purse_id, amount = str(new_id()), self._chance.randrange(100, 1_000)
        body = {"purse_id": purse_id, "amount": amount}
        call = self._call("create", (purse_id,), amount, 1, "/v1/purses", body)
        if self._perform(call) == "ok":
            self._purses.append(purse_id)

    def deposit(self, purse_id: str | None = None, expected_version: int | None = None) -> State:
        """Put money into a purse."""
        purse_id, amount = purse_id or self._chance.choice(self._purses), self._chance.randrange(1, 100)
        body: dict[str, Any] = {"amount": amount}
        if expected_version is not None:
            body["expected_version"] = expected_version
        path = f"/v1/purses/{purse_id}/deposits"
        return self._perform(self._call("deposit", (purse_id,), amount, 1, path, body))

    def transfer(self) -> None:
        """Move money between two purses."""
        source, target = self._chance.sample(self._purses, 2)
        body = {"source": source, "target": target, "amount": self._chance.randrange(1, 50)}
        self._perform(self._call("transfer", (source, target), 0, 2, "/v1/purses/transfers", body))

    def work(self, until: Callable[[], bool]) -> None:
        """Do one operation after the other."""
        while not until():
            kind = self._chance.choices((self.create, self.deposit, self.transfer), weights=(10, 50, 40))[0]
            kind()
            time.sleep(self._chance.uniform(0, 2 * self._pause))

    def _call(
        self, kind: str, keys: tuple[str, ...], put_in: int, facts: int, path: str, body: dict[str, Any]
    ) -> Recorded:
        self._number += 1
        name = f"{self.name}-{self._number}"
        return Recorded(kind, name, keys, put_in, facts, path, {**body, "operation": name})

    def _perform(self, call: Recorded) -> State:
        self._history.asked(call)
        state, details = self._ask(call)
        self._history.told(call, state, **details)
        return state

    @abstractmethod
    def _ask(self, call: Recorded) -> tuple[State, dict[str, Any]]:
        """Ask for it; what was told, and details for the history."""


class HttpWriter(Writer):
    """Asks over HTTP. Where it hears nothing it asks again under the same Idempotency-Key, for `patience` seconds."""

    def __init__(
        self, url: Callable[[], str], token: Callable[[], str], patience: float, *given: Any
    ) -> None:
        super().__init__(*given)
        self._client = httpx.Client(timeout=_REQUEST_SECONDS)
        self._url = url
        self._token = token
        self.patience = patience
        self.refused = 0
        """How many requests were answered with 5xx."""
        self.unanswered = 0
        """How many requests got no answer at all."""

    def _ask(self, call: Recorded) -> tuple[State, dict[str, Any]]:
        deadline = time.monotonic() + self.patience
        tries = 0
        last: Any = None
        while tries == 0 or time.monotonic() < deadline:
            tries += 1
            try:
                answer = self._client.post(
                    self._url() + call.path,
                    json=call.body,
                    headers={"Authorization": f"Bearer {self._token()}", "Idempotency-Key": call.name},
                )
            except httpx.TransportError as error:
                last = type(error).__name__
                self.unanswered += 1
            else:
                if answer.status_code < 300:
                    return "ok", {"status": answer.status_code, "tries": tries}
                last = answer.status_code
                problem = answer.json().get("type", "").rsplit("/", 1)[-1]
                if answer.status_code in (409, 412) and problem != "request-in-progress":
                    return "fail", {"status": last, "problem": problem, "tries": tries}
                if answer.status_code < 500 and problem != "request-in-progress":
                    raise AssertionError(f"{call.path} was answered with {answer.status_code}: {answer.text}")
                self.refused += answer.status_code >= 500
            time.sleep(_AGAIN)
        return "info", {"last": last, "tries": tries}


class SqlWriter(Writer):
    """Uses the service's own use cases on its database, as an import or a bus handler does. It never asks twice.

    `hold`: seconds between the writing of a fact and its commit.
    """

    def __init__(self, runtime: Runtime, *given: Any) -> None:
        super().__init__(*given)
        self._runtime = runtime
        self.hold = 0.0

    def _ask(self, call: Recorded) -> tuple[State, dict[str, Any]]:
        uow = self._runtime.unit_of_work()
        body = {
            name: uuid.UUID(value) if name in ("purse_id", "source", "target") else value
            for name, value in call.body.items()
        }
        try:
            with uow:
                match call.kind:
                    case "create":
                        ledger.create(**body, uow=uow)
                    case "deposit":
                        ledger.deposit(uuid.UUID(call.keys[0]), **body, uow=uow)
                    case _:
                        ledger.transfer(**body, uow=uow)
                if self.hold:
                    uow.flush()
                    time.sleep(self.hold)
        except Stale:
            return "fail", {"problem": "stale"}
        except SQLAlchemyError as error:
            # The commit may have been cut in the middle: nobody knows.
            return "info", {"last": type(error).__name__}
        finally:
            with suppress(SQLAlchemyError):
                uow.session.close()
        return "ok", {}


def all_of(
    writers: Sequence[Writer], until: Callable[[], bool]
) -> tuple[list[threading.Thread], list[BaseException]]:
    """Let all writers work, a thread each; the threads, and where what they die of is put."""
    died: list[BaseException] = []

    def work(writer: Writer) -> None:
        try:
            writer.work(until)
        except BaseException as error:
            died.append(error)

    threads = [threading.Thread(target=work, args=(writer,), daemon=True) for writer in writers]
    for thread in threads:
        thread.start()
    return threads, died
