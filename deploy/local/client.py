"""A client of a running suite's HTTP APIs, as an integrator would write one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx

from deploy.local.problems import LocalProblem
from deploy.local.secret_store import ADMIN_CLIENT_ID
from deploy.local.suite import LocalSuite

__all__ = ["Answer", "ChangedMeanwhile", "SuiteClient"]

_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - the name of a grant
_EARLY_SECONDS = 60
_PATIENCE = 30.0


class ChangedMeanwhile(LocalProblem):
    """A record was changed since it was read: read it again."""


class Answer(dict[str, Any]):
    """A JSON object that remembers its ETag."""

    etag: str | None = None


class SuiteClient:
    """Speaks to every service in the name of the administrator, or of the user it was made for.

    Answers other than 2xx raise LocalProblem with the problem's own words. A service that is restarting (refused
    connection, 503) is asked again for `patience` seconds; unsafe requests carry an Idempotency-Key, so that a repeat
    is safe.
    """

    def __init__(
        self,
        suite: LocalSuite,
        user_id: str | None = None,
        *,
        http: httpx.Client | None = None,
        patience: float = _PATIENCE,
    ) -> None:
        self._suite = suite
        self._user_id = user_id
        self._http = http or httpx.Client(timeout=30)
        self._patience = patience
        self._token = ""
        self._expires = 0.0

    def as_user(self, user_id: str) -> Self:
        """A client in the name of a user."""
        return type(self)(self._suite, user_id, http=self._http, patience=self._patience)

    def get(self, service: str, path: str, **query: Any) -> Answer:
        """Read."""
        return self._ask("GET", service, path, params={k: v for k, v in query.items() if v is not None})

    def items(self, service: str, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        cursor = None
        while True:
            page = self.get(service, path, limit=200, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def post(self, service: str, path: str, body: Mapping[str, Any] | None = None, **headers: str) -> Answer:
        """Create, or ask for something to be done."""
        return self._ask("POST", service, path, json=body, headers=headers)

    def post_lines(self, service: str, path: str, lines: bytes) -> list[dict[str, Any]]:
        """Send NDJSON and read NDJSON. No Idempotency-Key: imports are idempotent by themselves."""
        headers = {"Authorization": f"Bearer {self._bearer()}", "Content-Type": "application/x-ndjson"}
        url = f"{self._suite.url(service)}{path}"
        answer = self._send("POST", url, content=lines, headers=headers)
        return [json.loads(line) for line in answer.text.splitlines()]

    def change(self, service: str, before: Mapping[str, Any], verb: str, **body: Any) -> Answer:
        """Carry out a verb on the record `before` (an answer or an item of a list) as it was read."""
        path = f"{before['_path']}/{verb}" if verb else before["_path"]
        method = "POST" if verb else "PATCH"
        headers = {"If-Match": f'"{before["version"]}"'}
        return self._ask(method, service, path, json=body or None, headers=headers)

    def read(self, service: str, path: str) -> Answer:
        """A record, ready for `change`."""
        answer = self.get(service, path)
        answer["_path"] = path
        return answer

    def open_door(
        self, service: str, method: str, path: str, body: Mapping[str, Any] | None = None, **headers: str
    ) -> Answer:
        """Use a public route, without a token."""
        url = f"{self._suite.url(service)}{path}"
        return self._read(method, url, self._send(method, url, json=body, headers=headers))

    def _ask(self, method: str, service: str, path: str, **request: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self._bearer()}", **request.pop("headers", {})}
        if method == "POST":
            headers.setdefault("Idempotency-Key", f"{time.time_ns():x}-{id(self):x}")
        url = f"{self._suite.url(service)}{path}"
        return self._read(method, url, self._send(method, url, headers=headers, **request))

    def _send(self, method: str, url: str, **request: Any) -> httpx.Response:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                answer = self._http.request(method, url, **request)
            except httpx.TransportError as failure:
                if time.monotonic() > deadline:
                    raise LocalProblem(
                        f"{method} {url} got no answer: {failure}. (`make status`)"
                    ) from failure
                time.sleep(0.2)
                continue
            if answer.status_code == 503 and time.monotonic() < deadline:
                time.sleep(float(answer.headers.get("Retry-After", "1")))
                continue
            if not answer.is_success:
                problem = ChangedMeanwhile if answer.status_code == 412 else LocalProblem
                raise problem(f"{method} {url}: {answer.status_code} {answer.text[:500]}")
            return answer

    @staticmethod
    def _read(method: str, url: str, answer: httpx.Response) -> Answer:
        body = answer.json() if answer.content else {}
        shown = Answer(body if isinstance(body, dict) else {"items": body})
        shown.etag = answer.headers.get("ETag")
        if method != "GET" and "id" in shown:
            path = answer.headers.get("Location") or httpx.URL(url).path
            shown["_path"] = path if path.endswith(str(shown["id"])) else path.rsplit("/", 1)[0]
        return shown

    def _bearer(self) -> str:
        if time.monotonic() >= self._expires:
            given = {"grant_type": "client_credentials"}
            if self._user_id is not None:
                given = {"grant_type": _TOKEN_EXCHANGE, "requested_subject": self._user_id}
            answer = self._http.post(
                f"{self._suite.url('identity')}/oauth/token",
                data=given,
                auth=(ADMIN_CLIENT_ID, self._suite.secrets.admin_client_secret()),
            )
            if answer.status_code != 200:
                raise LocalProblem(f"Identity gave no token: {answer.status_code} {answer.text[:200]}")
            self._token = answer.json()["access_token"]
            self._expires = time.monotonic() + answer.json()["expires_in"] - _EARLY_SECONDS
        return self._token
