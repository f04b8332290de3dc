"""What an operator asks of the services, above all of their `/v1/bus`: once, without waiting for what is down."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpx

from deploy.local.problems import LocalProblem
from deploy.operator.places import Place

__all__ = ["BusApi"]

_LOOK_SECONDS = 0.2


class BusApi:
    """The bus as each service of `place` sees it. Every call raises LocalProblem in the service's own words."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._http = httpx.Client(timeout=30)

    def dead_letters(self, service: str) -> list[dict[str, Any]]:
        """What a service has given up, oldest first, without payloads."""
        items: list[dict[str, Any]] = self._ask("GET", service, "dead-letters")["items"]
        return items

    def dead_letter(self, service: str, event_id: str) -> dict[str, Any]:
        """One letter with its headers and payload."""
        return self._ask("GET", service, self._path(service, event_id))

    def retry(self, service: str, event_id: str) -> None:
        """Let a letter be worked on again."""
        self._ask("POST", service, f"{self._path(service, event_id)}/retry")

    def skip(self, service: str, event_id: str, reason: str) -> None:
        """Give a letter up for good."""
        self._ask("POST", service, f"{self._path(service, event_id)}/skip", {"reason": reason})

    def outbox(self, service: str, *, parked: bool) -> list[dict[str, Any]]:
        """Facts that have not reached the broker, oldest first."""
        state = "parked" if parked else "pending"
        items: list[dict[str, Any]] = self._ask("GET", service, f"outbox?state={state}")["items"]
        return items

    def resend(self, service: str, event_id: str) -> None:
        """Send a fact again under its own id."""
        self._ask("POST", service, f"outbox/{quote(event_id, safe='')}/resend")

    def replay(self, service: str, request: Mapping[str, Any], seconds: float) -> dict[str, int]:
        """Let the service's bus process read a topic again, and wait for the counts."""
        replay = self._ask("POST", service, "replays", request)
        deadline = time.monotonic() + seconds
        while replay["state"] not in ("done", "failed"):
            if time.monotonic() > deadline:
                raise LocalProblem(
                    f"The replay {replay['id']} is still {replay['state']} after {seconds:.0f} s:"
                    f" {replay['last_error'] or 'is the bus process of ' + service + ' running?'}"
                )
            time.sleep(_LOOK_SECONDS)
            replay = self._ask("GET", service, f"replays/{replay['id']}")
        if replay["state"] == "failed":
            raise LocalProblem(f"The replay {replay['id']} failed: {replay['last_error']}")
        result: dict[str, int] = replay["result"]
        return result

    @cached_property
    def _token(self) -> str:
        return self._place.token()

    def _path(self, service: str, event_id: str) -> str:
        """Where a letter is. An event's id is unique, so nobody needs to type its source as well."""
        for letter in self.dead_letters(service):
            if letter["event_id"] == event_id:
                source = quote(letter["source"].lstrip("/"), safe="/")
                return f"dead-letters/{source}/{quote(event_id, safe='')}"
        raise LocalProblem(
            f"{service} has no dead letter {event_id}: `crm dlq list {service}` shows those it has."
        )

    def _ask(
        self, method: str, service: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return self.call(method, service, f"/v1/bus/{path}", body)

    def call(
        self,
        method: str,
        service: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> dict[str, Any]:
        """Any request to a service; `version` is the record's, as it was read. What it answers, if anything."""
        headers = {"Authorization": f"Bearer {self._token}"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        url = f"{self._place.address(service).api}{path}"
        try:
            answer = self._http.request(method, url, json=body, headers=headers)
        except httpx.HTTPError as failure:
            raise LocalProblem(f"{service} does not answer ({failure}): see `crm status`.") from failure
        if answer.is_success:
            return answer.json() if answer.content else {}
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        said = problem.get("detail") or problem.get("title") or answer.text[:200]
        wrong = "; ".join(
            f"{each.get('pointer')}: {each.get('detail')}" for each in problem.get("errors", ())
        )
        if wrong:
            said = f"{said} {wrong}"
        raise LocalProblem(f"{service}: {said} ({answer.status_code})")
