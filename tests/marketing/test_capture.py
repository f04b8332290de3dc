"""Leads come in by the API and by forms: once each, whoever sends them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from shared.testing.tokens import bearer
from tests.marketing.conftest import ALL, PERSON, TEAM, Marketing

SENT = {"given_name": "Ines", "family_name": "Brandt", "email": "ines.brandt@acme-robotics.example"}


def send(marketing: Marketing, form: dict[str, Any], as_form: bool = False, **fields: Any) -> TestResponse:
    """A stranger's browser sends a form."""
    path, body = f"/public/v1/forms/{form['id']}", {**SENT, **fields}
    headers = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"}
    if as_form:
        return marketing.client.post(path, data=body, headers=headers)
    return marketing.client.post(path, json=body, headers=headers)


def judged(marketing: Marketing, answer: TestResponse) -> Any:
    """The lead behind an answer, after the worker has looked."""
    assert answer.status_code == 201, answer.text
    marketing.service.run_commands()
    return marketing.get(f"/v1/leads/{answer.json['lead_id']}")


# -- the API ----------


def test_a_captured_lead_waits_for_its_verdict(marketing: Marketing) -> None:
    chain = str(uuid.uuid4())
    answer = marketing.send(
        "POST",
        "/v1/leads",
        PERSON | {"utm": {"source": "fair"}},
        headers=marketing.marketer | {"X-Correlation-Id": chain},
    )
    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    lead = answer.json
    assert (lead["state"], lead["verdict"], lead["score_ref"], lead["handover_no"]) == ("new", None, None, 0)
    assert (lead["phone_e164"], lead["domain"]) == ("+4930123456", "acme-robotics.example")
    assert lead["allowed"] == ["disqualify", "merge"]
    [fact] = marketing.facts()
    assert fact.type == "crm.marketing.lead.captured.v1"
    assert fact.data["person"]["email"] == PERSON["email"]
    assert fact.data["utm"] == {
        "source": "fair",
        "medium": None,
        "campaign": None,
        "term": None,
        "content": None,
    }
    assert (fact.data["origin"], fact.data["score"], fact.headers["ce_dataclass"]) == ("user", None, "pii")
    marketing.service.run_commands()
    assert {str(fact.correlation_id) for fact in marketing.facts()} == {chain}
    assert marketing.said(lead) == ["captured", "judged", "scored"]


def test_a_lead_without_any_address_is_refused(marketing: Marketing) -> None:
    answer = marketing.send("POST", "/v1/leads", {"family_name": "Brandt"})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == ["/email", "/phone"]
    assert marketing.facts() == []


def test_wrong_values_are_named(marketing: Marketing) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("/nonsense", {"nonsense": 1}),
        ("/country", {"country": "Germany"}),
        ("/captured_at", {"captured_at": "2026-01-01T00:00:00Z"}),
        ("/captured_at", {"source": "import", "captured_at": "1999-12-31T00:00:00Z"}),
        ("/captured_at", {"source": "import", "captured_at": "2026-03-02T09:06:00Z"}),
        ("/state", {"state": "open"}),
    ]
    for pointer, body in wrong:
        answer = marketing.send("POST", "/v1/leads", PERSON | body)
        assert (answer.status_code, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])
    assert marketing.facts() == []


def test_a_submission_id_names_one_capture_for_ever(marketing: Marketing, clock: Any) -> None:
    first = marketing.send("POST", "/v1/leads", PERSON | {"submission_id": "s-1"})
    clock.advance(timedelta(days=400))
    again = marketing.send("POST", "/v1/leads", PERSON | {"submission_id": "s-1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json["id"] == first.json["id"]
    other = marketing.send("POST", "/v1/leads", PERSON | {"submission_id": "s-1", "family_name": "Kern"})
    assert (other.status_code, other.json["type"]) == (422, "/problems/submission-differs")
    assert len(marketing.facts("captured")) == 1


def test_a_known_person_is_no_second_lead(marketing: Marketing) -> None:
    lead = marketing.lead()
    answer = marketing.send("POST", "/v1/leads", PERSON | {"email": "Ines.Brandt+fair@ACME-robotics.example"})
    assert (answer.status_code, answer.json["id"]) == (200, lead["id"])
    assert answer.json["score_ref"] == 100.0
    assert len(marketing.facts("captured")) == 1
    # Warm before (50), hot with the second form: it went to sales by itself.
    assert answer.json["state"] == "qualified"


def test_a_converted_person_is_a_new_lead_of_the_same_person(marketing: Marketing) -> None:
    lead = marketing.hot()
    marketing.accept(lead)
    again = marketing.lead()
    assert again["id"] != lead["id"]
    assert again["person_id"] == lead["person_id"]


def test_twenty_equal_captures_at_once_are_one_lead(marketing: Marketing) -> None:
    marketing.service.app  # noqa: B018 - made before the threads ask for it

    def capture(_: int) -> tuple[int, str]:
        answer = marketing.send("POST", "/v1/leads", PERSON | {"submission_id": "s-1"})
        return answer.status_code, answer.json["id"]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(capture, range(20)))
    assert sorted(status for status, _ in answers) == [200] * 19 + [201]
    assert len({lead_id for _, lead_id in answers}) == 1
    assert len(marketing.facts("captured")) == 1


def test_history_is_judged_and_scored_but_never_goes_to_sales(marketing: Marketing) -> None:
    lead = marketing.lead(
        source="import",
        submission_id="row 1",
        captured_at="2026-03-01T09:00:00Z",
        behaviour_type="demo_request",
    )
    assert (lead["state"], lead["temperature"], lead["origin"]) == ("open", "hot", "import")
    assert lead["captured_at"] == "2026-03-01T09:00:00Z"
    assert marketing.said(lead) == ["captured", "judged", "scored"]
    assert {fact.data["origin"] for fact in marketing.facts()} == {"import"}
    assert {fact.data["effective_at"] for fact in marketing.facts()} == {"2026-03-01T09:00:00Z"}
    problem = marketing.refused(lead, "qualify", {"reason": "looks good"})
    assert (problem["type"], problem["reasons"]) == ("/problems/not-qualifiable", ["imported"])


def test_an_imported_lead_that_does_something_itself_is_alive(marketing: Marketing) -> None:
    lead = marketing.lead(source="import", captured_at="2026-03-01T09:00:00Z", behaviour_type="demo_request")
    again = marketing.captured(behaviour_type="click")
    assert (again["id"], again["origin"], again["state"]) == (lead["id"], "user", "qualified")
    assert marketing.facts("qualified")[0].data["origin"] == "user"


def test_only_who_may_import_brings_in_history(marketing: Marketing) -> None:
    permissions = {name: reach for name, reach in ALL.items() if name != "lead.import"}
    headers = bearer(permissions=permissions)
    answer = marketing.send("POST", "/v1/leads", PERSON | {"source": "import"}, headers=headers)
    assert answer.status_code == 403
    assert marketing.facts() == []


# -- forms ----------


@pytest.mark.parametrize("as_form", [True, False])
def test_a_form_is_sent_as_json_or_as_a_browser_does(marketing: Marketing, as_form: bool) -> None:
    campaign = str(uuid.uuid4())
    form = marketing.form(campaign_id=campaign, consent_text_version="2026-1", owner_team_id=str(TEAM))
    answer = send(
        marketing, form, as_form, company_name="Acme Robotics GmbH", shoe_size="43", utm_source="fair"
    )
    assert answer.status_code == 201
    assert answer.json == {"lead_id": answer.json["lead_id"], "ignored_fields": ["shoe_size"]}
    lead = judged(marketing, answer)
    assert (lead["source"], lead["form_id"], lead["campaign_id"]) == ("web_form", form["id"], campaign)
    assert (lead["given_name"], lead["company_name"]) == ("Ines", "Acme Robotics GmbH")
    assert (lead["utm"], lead["consent_text_version"]) == ({"source": "fair"}, "2026-1")
    assert lead["verdict"]["unchecked"] == ["mail_domain", "fill_time"]


def test_form_fields_are_mapped_cut_and_left_out_where_they_make_no_sense(marketing: Marketing) -> None:
    names = {
        "mail": "email",
        "land": "country",
        "staff": "employee_count",
        "first": "given_name",
        "tel": "phone",
    }
    form = marketing.form(fields=names)
    answer = marketing.client.post(
        f"/public/v1/forms/{form['id']}",
        json={
            "mail": "a..b@x.de",
            "land": "de",
            "staff": "many",
            "first": "x" * 500,
            "tel": 30123456,
            "more": {"a": 1},
        },
    )
    lead = judged(marketing, answer)
    assert answer.json["ignored_fields"] == ["more"]
    assert (lead["email"], lead["country"], lead["employee_count"]) == ("a..b@x.de", "DE", None)
    assert (lead["given_name"], lead["phone_e164"]) == ("x" * 120, "+4930123456")
    assert [reason["code"] for reason in lead["verdict"]["reasons"]] == ["email_syntax", "random_name"]
    assert lead["state"] == "held"


def test_a_robot_gets_the_answer_that_everybody_gets(marketing: Marketing) -> None:
    form = marketing.form()
    human, robot = (
        send(marketing, form),
        send(marketing, form, email="x@y.example", website_url="http://spam.example"),
    )
    assert (robot.status_code, sorted(robot.json)) == (human.status_code, sorted(human.json))
    assert robot.json["ignored_fields"] == []
    assert {name for name, _ in robot.headers} == {name for name, _ in human.headers}
    lead = judged(marketing, robot)
    assert (lead["state"], lead["verdict"]["value"], lead["verdict"]["points"]) == ("rejected", "fake", 100)
    assert marketing.said(lead) == ["captured", "judged", "scored"]


def test_a_robot_does_not_touch_the_lead_of_a_person(marketing: Marketing) -> None:
    lead, form = marketing.lead(), marketing.form()
    robot = judged(marketing, send(marketing, form, website_url="http://spam.example"))
    assert robot["id"] != lead["id"]
    assert marketing.read(lead)["score_ref"] == lead["score_ref"]
    # Nor does it stand in the way of the person.
    assert marketing.act(lead, "qualify", {"reason": "called"})["state"] == "qualified"


@pytest.mark.parametrize(("seconds", "codes"), [(1, ["too_fast"]), (2, [])])
def test_nobody_types_a_form_in_a_second(
    marketing: Marketing, clock: Any, seconds: int, codes: list[str]
) -> None:
    form = marketing.form()
    shown = marketing.client.get(f"/public/v1/forms/{form['id']}").json
    assert shown["field_names"][-1] == "website_url"
    clock.advance(timedelta(seconds=seconds))
    lead = judged(marketing, send(marketing, form, form_token=shown["form_token"]))
    assert [reason["code"] for reason in lead["verdict"]["reasons"]] == codes
    assert lead["verdict"]["unchecked"] == ["mail_domain"]


def test_a_token_of_another_form_or_a_forged_one_says_nothing(marketing: Marketing) -> None:
    form, other = marketing.form(), marketing.form(name="Another")
    token = marketing.client.get(f"/public/v1/forms/{other['id']}").json["form_token"]
    for forged in (token, "nonsense", token[:-2]):
        answer = send(marketing, form, form_token=forged, email=f"{uuid.uuid4()}@acme.example")
        assert judged(marketing, answer)["verdict"]["unchecked"] == ["mail_domain", "fill_time"]


def test_a_sixth_sending_from_one_address_within_ten_minutes_is_suspect(
    marketing: Marketing, clock: Any
) -> None:
    form = marketing.form()
    leads = [judged(marketing, send(marketing, form, email=f"p{n}@acme.example")) for n in range(6)]
    assert [lead["state"] for lead in leads] == ["open"] * 5 + ["held"]
    assert leads[-1]["verdict"]["reasons"][0]["seen"] == "6"
    clock.advance(timedelta(minutes=10))
    assert judged(marketing, send(marketing, form, email="p7@acme.example"))["state"] == "open"


def test_a_form_without_any_address_is_taken_and_held(marketing: Marketing) -> None:
    form = marketing.form()
    lead = judged(marketing, send(marketing, form, email=""))
    assert (lead["state"], lead["verdict"]["points"]) == ("held", 40)


def test_equal_forms_are_one_for_ten_minutes(marketing: Marketing, clock: Any) -> None:
    form = marketing.form(duplicate_policy="create_flagged")
    first, again = send(marketing, form), send(marketing, form, as_form=True)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == first.json
    clock.advance(timedelta(minutes=10))
    later = send(marketing, form)
    assert (later.status_code, later.json["lead_id"] != first.json["lead_id"]) == (201, True)


def test_the_policy_of_a_form_says_what_becomes_of_known_people(marketing: Marketing) -> None:
    lead = marketing.lead()
    refused = send(marketing, marketing.form(duplicate_policy="reject"))
    assert (refused.status_code, refused.json["lead_id"]) == (409, lead["id"])
    linked = send(marketing, marketing.form(duplicate_policy="link", behaviour_type="click"))
    assert (linked.status_code, linked.json["lead_id"]) == (201, lead["id"])
    assert marketing.read(lead)["score_ref"] == 55.0
    second = judged(marketing, send(marketing, marketing.form(duplicate_policy="create_flagged")))
    assert (second["id"] != lead["id"], second["person_id"]) == (True, lead["person_id"])
    [double] = marketing.get(f"/v1/leads/{second['id']}/duplicates")["items"]
    assert (double["lead_id"], double["level"], double["score"]) == (lead["id"], "certain", 100.0)


def test_unknown_and_closed_forms_look_the_same(marketing: Marketing) -> None:
    form = marketing.form()
    closed = marketing.send("PATCH", f"/v1/forms/{form['id']}", {"is_active": False}, version=1)
    assert (closed.status_code, closed.json["is_active"]) == (200, False)
    answers = [send(marketing, {"id": form_id}) for form_id in (form["id"], uuid.uuid4())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json["detail"] == answers[1].json["detail"]
    assert marketing.client.get(f"/public/v1/forms/{form['id']}").status_code == 404
    assert marketing.facts() == []


def test_bodies_that_no_form_sends(marketing: Marketing) -> None:
    path = f"/public/v1/forms/{marketing.form()['id']}"
    assert marketing.client.post(path, data=b"{", content_type="application/json").status_code == 400
    assert marketing.client.post(path, data=b"x", content_type="text/csv").status_code == 415
    assert marketing.client.post(path, json={"interest": "x" * 70_000}).status_code == 413
    assert marketing.client.post(path, json=["a"]).status_code == 201
    assert marketing.client.post(path, data={"email": "a\0b@acme.example"}).status_code == 201
    assert marketing.client.post(f"{path}?gclid=1&utm_source=fair", json=SENT).status_code == 201


def test_a_honeypot_is_no_field_of_the_form(marketing: Marketing) -> None:
    answer = marketing.send("POST", "/v1/forms", {"name": "Trap", "honeypot": "email"})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/honeypot")
    assert marketing.get("/v1/forms")["items"] == []
