"""Reading, rating, merging and ruling out leads; forms and scoring models as data; who may do what."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from services.marketing.leads import repository
from shared.testing.tokens import bearer
from tests.marketing.conftest import ALL, ANN, BOB, PERSON, Marketing

EXAMPLES = Path(__file__).parents[2] / "shared/contracts/examples/sales"


def test_a_score_cools_by_itself_and_says_so_once(marketing: Marketing, clock: Any) -> None:
    lead = marketing.lead()
    clock.advance(timedelta(days=30))
    marketing.service.fire_timers()
    assert marketing.read(lead)["temperature"] == "warm"
    assert len(marketing.facts("scored")) == 1
    clock.advance(timedelta(seconds=10))
    marketing.service.fire_timers()
    lead = marketing.read(lead)
    assert (lead["temperature"], lead["score_ref"] < 25) == ("cold", True)
    scored = [fact.data for fact in marketing.facts("scored")]
    assert [(each["temperature"], each["score"]) for each in scored] == [("warm", 50), ("cold", 25)]
    clock.advance(timedelta(days=400))
    marketing.service.fire_timers()
    assert len(marketing.facts("scored")) == 2


def test_a_behaviour_counts_once_and_a_small_move_is_not_told(marketing: Marketing) -> None:
    lead = marketing.lead()
    path, click = f"/v1/leads/{lead['id']}/behaviours", {"type": "click", "source_id": "send-1 link-2"}
    assert marketing.post(path, click)["score_ref"] == 55.0
    assert marketing.post(path, click)["score_ref"] == 55.0
    assert len(marketing.facts("scored")) == 1
    assert marketing.post(path, click | {"source_id": "another"})["score_ref"] == 60.0
    assert marketing.facts("scored")[-1].data["score_ref"] == "60.0000"
    assert [each["type"] for each in marketing.read(lead)["explanation"]["behaviours"]] == [
        "form",
        "click",
        "click",
    ]


def test_a_behaviour_of_tomorrow_is_refused(marketing: Marketing) -> None:
    lead = marketing.lead()
    body = {"type": "click", "source_id": "x", "occurred_at": "2026-03-03T09:00:00Z"}
    answer = marketing.send("POST", f"/v1/leads/{lead['id']}/behaviours", body)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/occurred_at")


def test_leads_are_listed_filtered_sorted_and_paged(marketing: Marketing, clock: Any) -> None:
    warm = marketing.lead()
    clock.advance(timedelta(minutes=1))
    hot = marketing.hot(email="otto@kern.example", phone=None, given_name="Otto", family_name="Kern")
    clock.advance(timedelta(minutes=1))
    held = marketing.lead(email="x@yopmail.com", phone=None)

    def ids(**query: Any) -> list[str]:
        return [item["id"] for item in marketing.get("/v1/leads", **query)["items"]]

    assert ids() == [held["id"], hot["id"], warm["id"]]
    assert ids(state="held") == [held["id"]]
    assert ids(temperature="hot") == ids(owner_id=str(ANN)) == ids(q="otto k") == [hot["id"]]
    assert ids(email="INES.brandt+x@acme-robotics.example") == [warm["id"]]
    assert ids(captured_at_gte="2026-03-02T09:01:30Z") == [held["id"]]
    assert ids(ids=f"{warm['id']},{hot['id']}", sort="captured_at") == [warm["id"], hot["id"]]
    first = marketing.get("/v1/leads", sort="-score", limit=2)
    rest = marketing.get("/v1/leads", sort="-score", limit=2, cursor=first["next"])
    assert [item["score_ref"] for item in (*first["items"], *rest["items"])] == [80.0, 50.0, 50.0]
    assert marketing.send("GET", "/v1/leads?colour=red").status_code == 422


def test_a_lead_is_seen_by_its_owner_and_not_by_his_colleague(marketing: Marketing) -> None:
    lead = marketing.hot()
    own = {"lead.read": "own"}
    seen = marketing.send("GET", f"/v1/leads/{lead['id']}", headers=bearer(ANN, own))
    foreign = marketing.send("GET", f"/v1/leads/{lead['id']}", headers=bearer(BOB, own))
    assert (seen.status_code, foreign.status_code) == (200, 404)
    assert marketing.send("POST", "/v1/leads", PERSON, headers=bearer(ANN, own)).status_code == 403
    assert marketing.client.get("/v1/leads").status_code == 401


def test_a_stale_change_is_refused(marketing: Marketing) -> None:
    lead = marketing.lead()
    path, body = f"/v1/leads/{lead['id']}/disqualify", {"reason": "student"}
    assert marketing.send("POST", path, body).status_code == 428
    stale = marketing.send("POST", path, body, version=1)
    assert (stale.status_code, stale.json["current_version"]) == (412, lead["version"])
    assert marketing.facts("disqualified") == []


def test_a_lead_is_ruled_out_and_taken_up_again(marketing: Marketing, clock: Any) -> None:
    lead = marketing.hot()
    lead = marketing.act(lead, "disqualify", {"reason": "competitor"})
    assert (lead["state"], lead["disqualify_reason"], lead["allowed"]) == (
        "disqualified",
        "competitor",
        ["reopen", "merge"],
    )
    assert marketing.facts("disqualified")[0].data["reason"] == "competitor"
    clock.advance(timedelta(days=1))
    marketing.service.fire_timers()
    assert marketing.said(lead)[-1] == "disqualified"
    assert marketing.act(lead, "reopen", {"reason": "mistaken"})["state"] == "qualified"


def test_a_lead_ruled_out_before_its_verdict_stays_so(marketing: Marketing) -> None:
    lead = marketing.captured()
    marketing.act(lead, "disqualify", {"reason": "own staff"})
    marketing.service.run_commands()
    assert marketing.said(lead) == ["captured", "disqualified"]
    assert marketing.read(lead)["verdict"] is None


# -- merge ----------


def two(marketing: Marketing, **values: Any) -> tuple[Any, Any]:
    """Two leads with one telephone number."""
    first = marketing.lead(title=None)
    marketing.clock.advance(timedelta(minutes=1))
    return first, marketing.lead(email="i.brandt@elsewhere.example", **values)


def test_the_double_leads_to_the_one_that_goes_on(marketing: Marketing) -> None:
    first, second = two(marketing)
    # Named the other way round: the older one goes on all the same.
    survivor = marketing.act(second, "merge", {"lead_id": first["id"]})
    assert (survivor["id"], survivor["title"], survivor["email"]) == (
        first["id"],
        PERSON["title"],
        PERSON["email"],
    )
    assert (round(survivor["score_ref"], 2), survivor["state"]) == (100.0, "qualified")
    answer = marketing.send("GET", f"/v1/leads/{second['id']}")
    assert (answer.status_code, answer.headers["Location"]) == (307, f"/v1/leads/{first['id']}")
    [merged] = marketing.facts("merged")
    assert (merged.subject, merged.data["survivor_id"], merged.data["state"]) == (
        second["id"],
        first["id"],
        "merged",
    )
    assert marketing.get("/v1/leads", state="merged")["items"][0]["merged_into_id"] == first["id"]


def test_a_double_in_the_hands_of_sales_is_taken_out_of_them(marketing: Marketing, clock: Any) -> None:
    first = marketing.hot()
    second = marketing.lead(email="i.brandt@elsewhere.example")
    marketing.post(f"/v1/leads/{second['id']}/dismiss-duplicate", {"lead_id": first["id"]})
    marketing.act(second, "qualify", {"reason": "x"})
    survivor = marketing.act(first, "merge", {"lead_id": second["id"]})
    assert survivor["id"] == first["id"]
    assert marketing.said(second)[-2:] == ["recycled", "merged"]
    assert marketing.facts("recycled")[0].data["reason"] == "duplicate"
    clock.advance(timedelta(days=1))
    marketing.service.fire_timers()
    assert marketing.said(second)[-1] == "merged"


def test_an_answer_to_a_merged_lead_reaches_the_survivor(marketing: Marketing) -> None:
    first, second = two(marketing)
    marketing.act(first, "merge", {"lead_id": second["id"]})
    said = marketing.accept(second)
    lead = marketing.read(first)
    assert (lead["state"], lead["account_id"]) == ("converted", said["account_id"])
    assert [fact.subject for fact in marketing.facts("converted")] == [first["id"]]


def test_leads_that_cannot_be_merged(marketing: Marketing) -> None:
    first, second = two(marketing)
    same = marketing.refused(first, "merge", {"lead_id": first["id"]})
    assert same["type"] == "/problems/merge-impossible"
    assert marketing.refused(first, "merge", {"lead_id": str(uuid.uuid4())})["status"] == 404
    marketing.act(first, "merge", {"lead_id": second["id"]})
    answer = marketing.refused(first, "merge", {"lead_id": second["id"]})
    assert answer["type"] == "/problems/merge-impossible"


def test_a_converted_lead_is_never_merged_away(marketing: Marketing) -> None:
    first = marketing.hot()
    marketing.accept(first)
    second = marketing.lead(email="i.brandt@elsewhere.example")
    survivor = marketing.act(second, "merge", {"lead_id": first["id"]})
    assert (survivor["id"], survivor["state"]) == (first["id"], "converted")


# -- scoring models ----------


def model(**values: Any) -> dict[str, Any]:
    criteria = [
        {"key": "size", "field": "employee_count", "operator": "at_least", "value": 100, "points": 80}
    ]
    return {"name": "Ours", "weights": {"form": 70}, "criteria": criteria, **values}


def test_a_new_version_scores_what_comes_from_now_on(marketing: Marketing) -> None:
    [first] = marketing.get("/v1/scoring-models", state="active")["items"]
    draft = marketing.post("/v1/scoring-models", model(accept_within_minutes=60))
    assert (draft["state"], draft["model_version"], draft["allowed"]) == ("draft", 2, ["activate"])
    old = marketing.lead()
    path = f"/v1/scoring-models/{draft['id']}/activate"
    active = marketing.post(path, version=draft["version"])
    assert (active["state"], active["allowed"]) == ("active", [])
    assert marketing.get(f"/v1/scoring-models/{first['id']}")["state"] == "retired"
    assert marketing.send("POST", path, version=active["version"]).status_code == 409
    lead = marketing.lead(email="p1@firm1.example", phone=None)
    assert (lead["score_ref"], lead["fit"], lead["grade"], lead["state"]) == (70.0, 80, "A", "qualified")
    assert (lead["accept_by"], lead["scoring_model_id"]) == ("2026-03-02T10:00:00Z", draft["id"])
    assert marketing.read(old)["scoring_model_id"] == first["id"]


def test_a_model_that_does_not_hold_together_is_refused(marketing: Marketing) -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("/hot_from", {"warm_from": 70, "hot_from": 60}),
        ("/weights/form/value", {"weights": {"form": "many"}}),
        ("/weights", {"weights": {}}),
        ("/criteria/0/field", {"criteria": [{"key": "a", "field": "shoe_size", "operator": "known"}]}),
        ("/criteria/0/value", {"criteria": [{"key": "a", "field": "title", "operator": "is_in"}]}),
        (
            "/criteria/0/value",
            {"criteria": [{"key": "a", "field": "title", "operator": "at_least", "value": "x"}]},
        ),
        (
            "/criteria/0/value",
            {"criteria": [{"key": "a", "field": "title", "operator": "known", "value": 1}]},
        ),
    ]
    for pointer, values in wrong:
        answer = marketing.send("POST", "/v1/scoring-models", model(**values))
        assert (answer.status_code, [error["pointer"] for error in answer.json["errors"]]) == (422, [pointer])
    assert len(marketing.get("/v1/scoring-models")["items"]) == 1


def test_reading_needs_its_permission(marketing: Marketing) -> None:
    for path, permission in (("/v1/forms", "form.read"), ("/v1/scoring-models", "scoring_model.read")):
        without = bearer(permissions={name: reach for name, reach in ALL.items() if name != permission})
        assert marketing.send("GET", path, headers=without).status_code == 403


WHO = ("given_name", "family_name", "email", "phone", "phone_e164", "title", "interest", "time_zone")


def erase(marketing: Marketing, lead: dict[str, Any]) -> Any:
    return marketing.post(
        f"/v1/leads/{lead['id']}/erase",
        version=marketing.read(lead)["version"],
        headers=fresh(),
    )


def fresh() -> dict[str, str]:
    """Headers of somebody who has just shown a second factor."""
    return bearer(permissions={"lead.erase": "all"}, mfa_at=int(time.time()))


def merged_version(marketing: Marketing, lead: dict[str, Any]) -> int:
    """A merged lead is not shown any more; its version is."""
    with marketing.service.runtime.database.session() as session:
        found: int = session.execute(
            text("SELECT version FROM leads WHERE id = :id"), {"id": lead["id"]}
        ).scalar_one()
        return found


def contact_erased(marketing: Marketing, *lead_ids: str) -> None:
    data = json.loads((EXAMPLES / "contact.erased.v1" / "typical.json").read_text())
    marketing.service.deliver(
        "crm.sales.contact.erased.v1", {**data, "lead_ids": list(lead_ids)}, subject=data["contact_id"]
    )


def submissions(marketing: Marketing) -> set[tuple[str, str | None, str | None]]:
    query = text("SELECT raw::text, ip, user_agent FROM submissions")
    with marketing.service.runtime.database.session() as session:
        return {tuple(row) for row in session.execute(query)}


def test_an_erased_lead_is_ruled_out_and_says_no_more_who_it_was(marketing: Marketing, clock: Any) -> None:
    form = marketing.form()
    body = {**PERSON, "interest": "Call me at home"}
    assert marketing.client.post(f"/public/v1/forms/{form['id']}", json=body).status_code == 201
    marketing.service.run_commands()
    (lead,) = marketing.get("/v1/leads")["items"]
    assert "Call me" in str(submissions(marketing))
    erased = erase(marketing, lead)
    assert [erased[name] for name in WHO] == [None] * len(WHO)
    assert (erased["state"], erased["allowed"], erased["erased_at"]) == (
        "disqualified",
        [],
        "2026-03-02T09:00:00Z",
    )
    assert erased["company_name"] == PERSON["company_name"]
    assert not {PERSON["email"], PERSON["phone"], PERSON["title"], "Brandt"} & set(str(erased).split("'"))
    assert submissions(marketing) == {("{}", None, None)}
    assert marketing.said(lead)[-2:] == ["disqualified", "erased"]
    clock.advance(timedelta(days=400))
    marketing.service.fire_timers()
    assert marketing.said(lead)[-1] == "erased"


def test_who_was_erased_comes_again_as_somebody_new(marketing: Marketing) -> None:
    lead = marketing.lead()
    erase(marketing, lead)
    assert marketing.lead()["id"] != lead["id"]


def test_leads_merged_into_an_erased_one_go_with_it(marketing: Marketing) -> None:
    first = marketing.lead()
    double = marketing.lead(email="i.brandt@acme-robotics.example")
    survivor = marketing.act(first, "merge", {"lead_id": double["id"]})
    merged = double if survivor["id"] == first["id"] else first
    refused = marketing.send(
        "POST", f"/v1/leads/{merged['id']}/erase", version=merged_version(marketing, merged), headers=fresh()
    )
    assert (refused.status_code, survivor["id"] in refused.json["detail"]) == (409, True)
    erase(marketing, survivor)
    assert {fact.subject for fact in marketing.facts("erased")} == {first["id"], double["id"]}
    assert all(set(fact.data["person"].values()) == {None} for fact in marketing.facts("erased"))


def test_an_erased_lead_is_nobodys_double(marketing: Marketing) -> None:
    lead, other = marketing.lead(), marketing.lead(email="otto@kern.example", phone=None)
    erase(marketing, lead)
    refused = marketing.refused(other, "merge", {"lead_id": lead["id"]})
    assert "erased" in refused["detail"]


def test_the_lead_of_an_erased_contact_is_erased(marketing: Marketing) -> None:
    lead, other = marketing.hot(), marketing.lead(email="otto@kern.example", phone=None)
    marketing.accept(lead)
    for _ in range(2):
        contact_erased(marketing, lead["id"])
    now = marketing.read(lead)
    assert (now["state"], [now[name] for name in WHO]) == ("converted", [None] * len(WHO))
    assert marketing.read(other)["email"] == "otto@kern.example"


def test_one_unknown_lead_keeps_no_other_from_being_erased(marketing: Marketing) -> None:
    lead = marketing.hot()
    marketing.accept(lead)
    contact_erased(marketing, str(uuid.uuid4()), lead["id"])
    assert marketing.read(lead)["email"] is None


def test_a_converted_lead_is_erased_with_its_contact_only(marketing: Marketing) -> None:
    lead = marketing.hot()
    contact_id = marketing.accept(lead)["contact_id"]
    version = marketing.read(lead)["version"]
    refused = marketing.send("POST", f"/v1/leads/{lead['id']}/erase", version=version, headers=fresh())
    assert (refused.status_code, contact_id in refused.json["detail"]) == (409, True)
    assert marketing.read(lead)["email"] == PERSON["email"]


def test_a_contact_made_of_a_lead_while_it_was_erased_is_pointed_out(marketing: Marketing) -> None:
    lead = marketing.hot()
    erase(marketing, lead)
    contact_id = marketing.accept(lead)["contact_id"]
    (flag,) = marketing.read(lead)["attention"]
    assert (flag["code"], contact_id in flag["detail"]) == ("contact_of_erased", True)


def test_peoples_own_words_about_a_lead_go_with_it(marketing: Marketing) -> None:
    lead = marketing.lead(submission_id="brandt-1")
    marketing.act(lead, "override-verdict", {"value": "suspect", "reason": "Ines told me"})
    marketing.act(lead, "disqualify", {"reason": "Ines is my cousin"})
    erased = erase(marketing, lead)
    assert (erased["disqualify_reason"], erased["submission_id"]) == (None, None)
    assert "Ines" not in str(erased)
    assert marketing.said(lead)[-2:] == ["disqualified", "erased"]


def test_who_is_erased_while_capturing_leaves_nothing(
    marketing: Marketing, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = marketing.form()
    lead = marketing.lead()
    look_up = repository._OF_MAILBOX

    def erased_meanwhile(session: Session, **asked: Any) -> Any:
        found = look_up(session, **asked)
        monkeypatch.undo()
        # A request of its own: inside the one at work it would share its unit of work.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(erase, marketing, lead).result(10)
        return found

    monkeypatch.setattr(repository, "_OF_MAILBOX", erased_meanwhile)
    sent = marketing.client.post(f"/public/v1/forms/{form['id']}", json=PERSON)
    assert (sent.status_code, sent.json["lead_id"] != lead["id"]) == (201, True)


def test_erasing_a_lead_needs_a_fresh_second_factor(marketing: Marketing) -> None:
    lead = marketing.lead()
    headers = bearer(permissions={"lead.erase": "all"})
    path = f"/v1/leads/{lead['id']}/erase"
    assert marketing.send("POST", path, version=lead["version"], headers=headers).status_code == 401
    assert marketing.send("POST", path, version=lead["version"]).status_code == 403
    assert marketing.facts("erased") == []
