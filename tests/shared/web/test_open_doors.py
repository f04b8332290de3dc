"""Links for strangers: signed, for one purpose, for a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from shared.kernel.errors import NotFound
from shared.web.links import LinkExpired, LinkNotValid, LinkSigner

SIGNER = LinkSigner("a secret for tests only")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def test_a_link_gives_back_what_was_signed() -> None:
    token = SIGNER.sign("survey", {"invitation_id": "7"}, LATER)
    assert SIGNER.verify("survey", token, NOW) == {"invitation_id": "7"}


def test_forged_foreign_and_expired_links_look_the_same() -> None:
    token = SIGNER.sign("survey", {}, LATER)
    other = LinkSigner("another secret for tests").sign("survey", {}, LATER)
    refusals = []
    for purpose, text, now in [
        ("quote", token, NOW),
        ("survey", other, NOW),
        ("survey", token[:-2], NOW),
        ("survey", "", NOW),
        ("survey", "é", NOW),
        ("survey", token, LATER),
    ]:
        with pytest.raises(LinkNotValid) as raised:
            SIGNER.verify(purpose, text, now)
        refusals.append((raised.value.detail, raised.value.extra))
    assert len({str(refusal) for refusal in refusals}) == 1
    assert issubclass(LinkNotValid, NotFound)


def test_a_route_may_tell_that_a_link_has_expired() -> None:
    token = SIGNER.sign("survey", {}, LATER)
    with pytest.raises(LinkExpired):
        SIGNER.verify("survey", token, LATER, tell_expired=True)
    with pytest.raises(LinkNotValid):
        SIGNER.verify("survey", token + "x", LATER, tell_expired=True)
    assert LinkExpired.status == 410


def test_a_purpose_has_a_plain_name() -> None:
    with pytest.raises(ValueError, match="not the name of a purpose"):
        SIGNER.sign("Any Thing", {}, LATER)


def test_an_open_door_needs_no_token_and_tolerates_unknown_fields(client: FlaskClient) -> None:
    token = SIGNER.sign("survey", {"invitation_id": "7"}, datetime.now(UTC) + timedelta(minutes=1))

    answer = client.post(f"/public/v1/answers/{token}", json={"stars": 5, "utm_source": "mail"})
    assert answer.status_code == 200
    wrong = client.post(f"/public/v1/answers/{token}", json={"stars": 9})
    assert (wrong.status_code, wrong.json["errors"][0]["pointer"]) == (422, "/stars")
    unknown = client.post("/public/v1/answers/nothing", json={"stars": 5})
    assert (unknown.status_code, unknown.json["type"]) == (404, "/problems/link-not-valid")
