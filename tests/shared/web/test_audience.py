"""What customers see of an answer, and may ask by: what the schema lists, and nothing else."""

from __future__ import annotations

import uuid

import pytest
from flask.testing import FlaskClient

from shared.service import Runtime
from shared.testing.tokens import bearer, customer_bearer
from shared.web import Blueprint, Schema, UndeclaredRoute, fields
from tests.shared.web.conftest import NoteOut, make_app

PATH = "/v1/notes/mine"


@pytest.fixture
def customer() -> dict[str, str]:
    return customer_bearer(uuid.uuid4(), "portal_note.read")


def test_customers_get_the_listed_fields_and_the_staff_get_all(
    client: FlaskClient, customer: dict[str, str]
) -> None:
    shown = client.get(PATH, headers=customer)
    assert set(shown.json) == {"subject", "author"}
    assert shown.json["author"] == {"name": "Ada"}
    assert shown.headers["ETag"] == '"3"'
    staff = client.get(PATH, headers=bearer(permissions={"portal_note.read": "own"}))
    assert set(staff.json) == {"version", "subject", "state", "author"}
    assert staff.json["author"] == {"name": "Ada", "nickname": "The machine"}


def test_sparse_fields_open_nothing(client: FlaskClient, customer: dict[str, str]) -> None:
    shown = client.get(f"{PATH}?fields=author", headers=customer)
    assert shown.json == {"author": {"name": "Ada"}}
    refused = client.get(f"{PATH}?fields=subject,state", headers=customer)
    assert refused.status_code == 422
    assert refused.json["errors"] == [{"pointer": "/fields", "detail": "The fields are id, subject, author."}]


def test_a_hidden_field_is_no_filter(client: FlaskClient, customer: dict[str, str]) -> None:
    refused = client.get(f"{PATH}?state=open", headers=customer)
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/state")
    assert client.get(f"{PATH}?sort=subject", headers=customer).status_code == 200
    staff = bearer(permissions={"portal_note.read": "own"})
    assert client.get(f"{PATH}?state=open", headers=staff).status_code == 200


class Silent(Schema):
    subject = fields.String()


@pytest.mark.parametrize(("asked", "shown"), [(Silent, NoteOut), (NoteOut, Silent)])
def test_a_route_for_customers_that_does_not_say_what_they_see_stops_the_start(
    runtime: Runtime, asked: type[Schema], shown: type[Schema]
) -> None:
    blueprint = Blueprint("things", __name__, url_prefix="/v1/things")

    @blueprint.get("", permission="portal_note.read")
    @blueprint.arguments(asked, location="query")
    @blueprint.response(200, shown)
    def read_thing() -> None:
        """Read a thing."""

    with pytest.raises(UndeclaredRoute, match="Silent does not say what they see"):
        make_app(runtime, blueprint)
