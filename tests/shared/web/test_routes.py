"""What a declared route does with a request, from the outside."""

from __future__ import annotations

import uuid
from typing import Any

from flask.testing import FlaskClient

from shared.testing.tokens import bearer

ME = uuid.UUID("018f0000-0000-7000-8000-000000000001")
ALL = {"*": "all"}


def _create(client: FlaskClient, subject: str = "Call Ada", **more: Any) -> Any:
    answer = client.post("/v1/notes", json={"subject": subject, **more}, headers=bearer(ME, ALL))
    assert answer.status_code == 201, answer.text
    return answer


def test_a_created_record_comes_back_with_its_address_and_version(client: FlaskClient) -> None:
    answer = _create(client, worth={"amount": "1250.5", "currency": "EUR"})

    assert answer.json["worth"] == {"amount": "1250.50", "currency": "EUR"}
    assert answer.json["created_at"].endswith("Z")
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'
    assert answer.headers["Location"] == f"/v1/notes/{answer.json['id']}"
    again = client.get(answer.headers["Location"], headers=bearer(ME, ALL))
    assert again.json == answer.json
