"""Records out of a caller's reach are not there: neither in lists nor by their ids, for no method."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from shared.contracts.policy import Policy
from shared.kernel.ids import new_id
from shared.testing.tokens import bearer, customer_bearer
from shared.web.operation import Operation
from tests.api.conftest import Api

MADE: dict[str, dict[str, dict[str, Any]]] = {
    "marketing": {"/v1/leads": {"email": "ines.brandt@acme.example"}},
    "sales": {
        "/v1/accounts": {"name": "Acme"},
        "/v1/contacts": {"family_name": "Brandt"},
        "/v1/opportunities": {"name": "Welding line", "close_date": "2030-01-31"},
        "/v1/activities": {"type": "task", "subject": "Ring them up"},
    },
    "support": {"/v1/cases": {"subject": "It stopped", "account_id": str(new_id())}},
}
"""What an administrator makes, beside what facts make: bodies by address."""
SEEN: dict[str, dict[bool, set[str]]] = {
    "fieldservice": {False: {"work-orders"}, True: {"work-orders"}},
    "identity": {False: {"users"}, True: set()},
    "marketing": {False: {"leads"}, True: set()},
    "sales": {False: {"accounts", "contacts", "opportunities", "activities", "leads"}, True: set()},
    "support": {False: {"assets", "cases"}, True: {"assets", "cases"}},
}
"""Of which records there are some to be refused, to a stranger and to a customer."""


def routes(api: Api, portal: bool) -> Iterator[tuple[str, str, str]]:
    """Method, address and permission of every route that a stranger or a customer may use for what is theirs."""
    known, app = Policy.load().permissions, api.service.app
    for rule in app.url_map.iter_rules():
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if isinstance(operation, Operation) and isinstance(operation.permission, str):
            permission = known[operation.permission]
            if permission.portal if portal else "own" in permission.reach:
                yield operation.method, rule.rule, operation.permission


@pytest.mark.parametrize("portal", [False, True], ids=["stranger", "customer"])
def test_a_foreign_record_is_not_there(api: Api, portal: bool) -> None:
    client, service = api.service.client, api.service.runtime.service.name
    for address, body in MADE.get(service, {}).items():
        assert client.post(address, json=body, headers=api.admin).status_code == 201
    usable = list(routes(api, portal))
    held = {permission: "own" for *_, permission in usable}
    me = customer_bearer(new_id(), *held) if portal else bearer(new_id(), held)
    seen = set()
    for collection in {address for method, address, _ in usable if method == "GET" and "<" not in address}:
        there = (client.get(collection, headers=api.admin).json or {}).get("items", [])
        records = [row for row in there if {"id", "version"} <= set(row)]
        one = re.compile(re.escape(collection) + r"/<uuid:[^>]*>(/[a-z-]+)?")
        below = [
            (method, match[1] or "") for method, address, _ in usable if (match := one.fullmatch(address))
        ]
        if not records or not below:
            continue
        seen.add(collection.rpartition("/")[2])
        assert client.get(collection, headers=me).json["items"] == []
        for record in records:
            for method, verb in below:
                path = f"{collection}/{record['id']}{verb}"
                headers = me | {"If-Match": f'"{record["version"]}"'}
                answer = client.open(
                    path, method=method, headers=headers, json=None if method == "GET" else {}
                )
                # What is sent may be refused before the record is looked for; nothing else may be told.
                assert answer.status_code in ({404} if method == "GET" else {404, 422}), (method, path)
        assert client.get(collection, headers=api.admin).json["items"] == there
    assert seen == SEEN.get(service, {}).get(portal, set())
