"""The seed's company is whole, whatever comes between its steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local import seed
from deploy.local.client import SuiteClient
from deploy.local.suite import LocalSuite

PEOPLE = {"Sven Olsen": "u-1", "Aylin Kaya": "u-2"}


class FieldService:
    """Two technicians; after each of the first `facts_to_come` readings a fact about the user arrives."""

    def __init__(self, facts_to_come: int) -> None:
        self.technicians: dict[str, dict[str, Any]] = {
            f"/v1/technicians/{user}": {"id": user, "user_id": user, "version": 1, "skills": []}
            for user in PEOPLE.values()
        }
        self.facts_to_come = facts_to_come
        self.statuses: list[int] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "x", "expires_in": 600})
        if path == "/v1/technicians":
            return httpx.Response(200, json={"items": list(self.technicians.values()), "next": None})
        present = self.technicians[path]
        if request.method == "GET":
            if self.facts_to_come:
                self.facts_to_come -= 1
                self.technicians[path] = {**present, "version": present["version"] + 1}
            return httpx.Response(200, json=present)
        status = 200 if request.headers["If-Match"] == f'"{present["version"]}"' else 412
        self.statuses.append(status)
        if status == 200:
            changes = json.loads(request.content)
            self.technicians[path] = {**present, **changes, "version": present["version"] + 1}
        return httpx.Response(status, json=self.technicians[path])


def client_of(service: FieldService, suite: LocalSuite) -> SuiteClient:
    client = SuiteClient(suite)
    client._http = httpx.Client(transport=httpx.MockTransport(service.answer))
    return client


@pytest.mark.parametrize(("facts_to_come", "statuses"), [(0, [200, 200]), (3, [412, 412, 412, 200, 200])])
def test_technicians_get_their_skills_though_facts_about_them_still_arrive(
    tmp_path: Path, facts_to_come: int, statuses: list[int]
) -> None:
    service = FieldService(facts_to_come)
    seed._technicians(client_of(service, LocalSuite(tmp_path)), PEOPLE)
    assert service.statuses == statuses
    for technician in service.technicians.values():
        assert technician["skills"] == [{"skill": "robotics", "level": 4}]


def test_skills_that_somebody_changed_are_left_alone(tmp_path: Path) -> None:
    service = FieldService(0)
    for technician in service.technicians.values():
        technician["skills"] = [{"skill": "welding", "level": 2}]
    seed._technicians(client_of(service, LocalSuite(tmp_path)), PEOPLE)
    assert service.statuses == []
