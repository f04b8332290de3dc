"""The OpenAPI documents are true: whatever is sent, the answer is one that they name."""

from __future__ import annotations

import itertools
from collections import defaultdict

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation

from shared.testing.conformance import CHECKS
from tests.api.conftest import Api

SOME = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# What makes records comes first, and what ends them last.
ORDER = ("post", "get", "put", "patch", "delete")


class Prober:
    """Sends what the document allows, and what it does not, to the operations of one service. Every second
    request to a record is to one that exists, at its present version."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.schema = schemathesis.openapi.from_wsgi("/openapi.json", api.service.app)
        self.known: dict[str, list[str]] = defaultdict(list)
        self.failures: dict[str, str] = {}
        self.succeeded: set[str] = set()
        self.turn = itertools.count()

    def operations(self) -> list[APIOperation]:
        found = [result.ok() for result in self.schema.get_all_operations()]
        return sorted(found, key=lambda o: (o.path.count("{"), ORDER.index(o.method.lower()), o.path))

    def probe(self, operation: APIOperation) -> None:
        positive = operation.as_strategy(GenerationMode.POSITIVE)
        negative = operation.as_strategy(GenerationMode.NEGATIVE)

        @SOME
        @given(st.one_of(positive, negative))
        def send(case: schemathesis.Case) -> None:
            self.send(case)

        send()

    def send(self, case: schemathesis.Case) -> None:
        headers = dict(self.api.admin)
        collection, _, names = case.operation.path.partition("/{")
        if (known := self.known[collection]) and names.count("}") == 1 and next(self.turn) % 2:
            record = known[next(self.turn) // 2 % len(known)]
            case.path_parameters[names.partition("}")[0]] = record
            read = self.api.service.client.get(f"{collection}/{record}", headers=headers)
            headers["If-Match"] = read.headers.get("ETag", '"1"')
        if "wait" in (case.query or {}):
            case.query["wait"] = "0"  # nothing will happen meanwhile
        try:
            answer = case.call_and_validate(headers=headers, checks=CHECKS)
        except FailureGroup as group:
            self.failures.setdefault(case.operation.label, "\n".join(map(str, group.exceptions)))
            return
        if answer.status_code < 300:
            self.succeeded.add(case.operation.label)
            self.learn(case.operation, answer)

    def learn(self, operation: APIOperation, answer: schemathesis.Response) -> None:
        """Remember the ids of the records that a collection told of."""
        if "{" in operation.path or answer.headers.get("content-type") != ["application/json"]:
            return
        body = answer.json()
        items = body.get("items", [body]) if isinstance(body, dict) else []
        self.known[operation.path] += [item["id"] for item in items if "id" in item]


def test_every_answer_is_documented(api: Api) -> None:
    prober = Prober(api)
    operations = prober.operations()
    for operation in operations:
        prober.probe(operation)
    assert not prober.failures, "\n\n".join(f"{label}: {why}" for label, why in prober.failures.items())
    # Were nothing to succeed, only refusals would have been checked.
    assert len(prober.succeeded) * 5 >= len(operations)
