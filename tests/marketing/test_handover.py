"""The handover to sales: who gets a lead, until when, and what every answer does, in whatever order it comes."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from shared.db.plumbing import INBOX
from tests.marketing.conftest import ANN, BOB, CAT, TEAM, Marketing

ACCEPTED = "crm.sales.lead.accepted.v1"
HOURS = timedelta(hours=1)


def outcome(lead: dict[str, Any]) -> tuple[str, int, str | None]:
    """State, handover and owner."""
    return lead["state"], lead["handover_no"], lead["owner_id"]


# -- to sales ----------


def test_a_hot_lead_goes_to_sales_by_itself(marketing: Marketing) -> None:
    lead = marketing.hot()
    assert marketing.said(lead) == ["captured", "judged", "scored", "qualified"]
    fact = marketing.facts("qualified")[0].data
    assert (fact["handover_no"], fact["owner_id"], fact["owner_team_id"]) == (1, str(ANN), str(TEAM))
    assert (fact["accept_by"], fact["qualified_by"], fact["reason"]) == (
        "2026-03-02T13:00:00Z",
        "machine",
        None,
    )
    assert (fact["score"], fact["grade"], fact["temperature"], fact["state"]) == (80, "A", "hot", "qualified")
    assert len({fact.correlation_id for fact in marketing.facts(lead=lead)}) == 1


def test_the_members_of_a_team_take_turns(marketing: Marketing, clock: Any) -> None:
    owners = []
    for n in range(4):
        owners.append(marketing.hot(email=f"p{n}@firm{n}.example", phone=None)["owner_id"])
        clock.advance(timedelta(minutes=1))
    assert owners == [str(ANN), str(BOB), str(ANN), str(BOB)]
    marketing.hire(CAT, "Cat")
    assert marketing.hot(email="p9@firm9.example", phone=None)["owner_id"] == str(CAT)


def test_a_warm_lead_waits_for_a_person(marketing: Marketing) -> None:
    lead = marketing.lead()
    assert (lead["state"], lead["temperature"], lead["score_ref"]) == ("open", "warm", 50.0)
    assert marketing.facts("qualified") == []
    by_hand = marketing.act(lead, "qualify", {"reason": "met at the fair", "owner_id": str(BOB)})
    assert outcome(by_hand) == ("qualified", 1, str(BOB))
    fact = marketing.facts("qualified")[0].data
    assert (fact["reason"], fact["qualified_by"] != "machine") == ("met at the fair", True)


def test_nobody_unknown_gets_a_lead(marketing: Marketing) -> None:
    lead = marketing.lead()
    problem = marketing.refused(lead, "qualify", {"reason": "x", "owner_id": str(CAT)})
    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/owner_id")
    assert marketing.facts("qualified") == []


def test_without_anybody_in_sales_a_lead_is_qualified_and_nobodys(marketing: Marketing) -> None:
    marketing.dismiss(ANN, "Ann")
    marketing.dismiss(BOB, "Bob")
    lead = marketing.hot()
    assert (outcome(lead), lead["accept_by"]) == (("qualified", 1, None), None)
    assert [item["code"] for item in lead["attention"]] == ["unowned"]
    marketing.clock.advance(timedelta(days=30))
    marketing.service.fire_timers()
    assert len(marketing.facts("qualified")) == 1
    marketing.hire(CAT, "Cat")
    lead = marketing.act(lead, "assign", {"reason": "new here"})
    assert (outcome(lead), lead["attention"]) == (("qualified", 2, str(CAT)), [])


def test_what_is_not_genuine_does_not_go_to_sales(marketing: Marketing) -> None:
    lead = marketing.lead(email="joe@mailinator.com", phone=None, behaviour_type="demo_request")
    assert (lead["state"], lead["temperature"]) == ("held", "cold")
    problem = marketing.refused(lead, "qualify", {"reason": "x"})
    assert (problem["status"], problem["state"]) == (409, "held")
    assert problem["allowed"] == ["override_verdict", "disqualify", "merge"]
    genuine = marketing.act(lead, "override-verdict", {"value": "genuine", "reason": "I know him"})
    assert outcome(genuine) == ("qualified", 1, str(ANN))
    assert (genuine["verdict"]["value"], genuine["machine_verdict"]["value"]) == ("genuine", "suspect")
    assert genuine["verdict"]["reasons"][0]["detail"] == "I know him"


def test_a_certain_double_has_to_be_settled_first(marketing: Marketing) -> None:
    first = marketing.lead()
    second = marketing.lead(email="i.brandt@elsewhere.example", behaviour_type="demo_request")
    assert (second["state"], second["temperature"]) == ("open", "hot")
    problem = marketing.refused(second, "qualify", {"reason": "x"})
    assert (problem["type"], problem["reasons"]) == ("/problems/not-qualifiable", ["certain_duplicate"])
    marketing.post(f"/v1/leads/{second['id']}/dismiss-duplicate", {"lead_id": first["id"]})
    marketing.post(f"/v1/leads/{first['id']}/dismiss-duplicate", {"lead_id": second["id"]})
    assert marketing.get(f"/v1/leads/{second['id']}/duplicates")["items"] == []
    assert marketing.act(second, "qualify", {"reason": "another Ines"})["state"] == "qualified"


def test_a_reassigned_lead_has_a_new_handover_and_a_new_deadline(marketing: Marketing, clock: Any) -> None:
    lead = marketing.hot()
    clock.advance(2 * HOURS)
    lead = marketing.act(lead, "assign", {"reason": "on leave", "owner_id": str(BOB)})
    assert (outcome(lead), lead["accept_by"]) == (("qualified", 2, str(BOB)), "2026-03-02T15:00:00Z")
    clock.advance(3 * HOURS)
    marketing.service.fire_timers()
    # The first deadline has passed, and is void.
    assert outcome(marketing.read(lead)) == ("qualified", 2, str(BOB))
    assert marketing.facts("recycled") == []


# -- silence ----------


def test_who_does_not_answer_loses_the_lead_to_the_next(marketing: Marketing, clock: Any) -> None:
    lead = marketing.hot()
    clock.advance(4 * HOURS - timedelta(seconds=1))
    marketing.service.fire_timers()
    assert outcome(marketing.read(lead)) == ("qualified", 1, str(ANN))
    clock.advance(timedelta(seconds=1))
    marketing.service.fire_timers()
    assert outcome(marketing.read(lead)) == ("qualified", 2, str(BOB))
    assert marketing.said(lead)[-2:] == ["recycled", "qualified"]
    recycled, qualified = (fact.data for fact in marketing.facts(lead=lead)[-2:])
    assert (recycled["reason"], recycled["cool_off_until"], recycled["state"]) == (
        "no_response",
        None,
        "recycled",
    )
    assert (qualified["handover_no"], qualified["accept_by"]) == (2, "2026-03-02T17:00:00Z")
    assert len({fact.correlation_id for fact in marketing.facts(lead=lead)}) == 1


def test_after_three_silent_handovers_a_lead_is_nobodys_and_people_are_told(
    marketing: Marketing, clock: Any
) -> None:
    lead = marketing.hot()
    for _ in range(4):
        clock.advance(timedelta(days=1))
        marketing.service.fire_timers()
    lead = marketing.read(lead)
    assert (outcome(lead), lead["accept_by"]) == (("qualified", 4, None), None)
    assert [item["code"] for item in lead["attention"]] == ["unowned"]
    owners = [fact.data["owner_id"] for fact in marketing.facts("qualified")]
    assert owners == [str(ANN), str(BOB), str(ANN), None]
    assert [each["id"] for each in marketing.get("/v1/leads", needs_attention="true")["items"]] == [
        lead["id"]
    ]


def test_a_lead_of_somebody_who_left_goes_to_the_next(marketing: Marketing) -> None:
    lead, other = marketing.hot(), marketing.hot(email="p1@firm1.example", phone=None)
    marketing.dismiss(ANN, "Ann")
    assert outcome(marketing.read(lead)) == ("qualified", 2, str(BOB))
    assert outcome(marketing.read(other)) == ("qualified", 1, str(BOB))
    assert marketing.facts("recycled")[0].data["reason"] == "owner_left"


# -- accepted ----------


def test_an_accepted_lead_is_converted_for_good(marketing: Marketing, clock: Any) -> None:
    lead = marketing.hot()
    said = marketing.accept(lead)
    lead = marketing.read(lead)
    assert (lead["state"], lead["account_id"], lead["allowed"]) == ("converted", said["account_id"], [])
    assert marketing.facts("converted")[0].data["opportunity_id"] == said["opportunity_id"]
    clock.advance(timedelta(days=90))
    marketing.service.fire_timers()
    marketing.post(f"/v1/leads/{lead['id']}/behaviours", {"type": "demo_request", "source_id": "later"})
    assert marketing.said(lead) == ["captured", "judged", "scored", "qualified", "converted"]
    for verb in ("disqualify", "qualify", "reopen"):
        assert marketing.refused(lead, verb, {"reason": "x"})["status"] == 409


def test_the_same_acceptance_twice_changes_nothing(marketing: Marketing) -> None:
    lead = marketing.hot()
    said = marketing.accept(lead)
    version = marketing.read(lead)["version"]
    marketing.accept(lead, **{name: said[name] for name in ("account_id", "contact_id", "opportunity_id")})
    assert marketing.read(lead)["version"] == version
    assert len(marketing.facts("converted")) == 1


def test_a_second_acceptance_with_other_ids_asks_for_attention(marketing: Marketing) -> None:
    lead = marketing.hot()
    said = marketing.accept(lead)
    marketing.accept(lead)
    lead = marketing.read(lead)
    assert (lead["state"], lead["account_id"]) == ("converted", said["account_id"])
    assert [item["code"] for item in lead["attention"]] == ["accepted_twice"]
    assert len(marketing.facts("converted")) == 1


def test_a_late_acceptance_of_an_earlier_handover_converts(marketing: Marketing, clock: Any) -> None:
    lead = marketing.hot()
    clock.advance(4 * HOURS)
    marketing.service.fire_timers()
    marketing.accept(lead, handover_no=1)
    assert marketing.read(lead)["state"] == "converted"
    clock.advance(timedelta(days=1))
    marketing.service.fire_timers()
    assert marketing.said(lead)[-1] == "converted"


@pytest.mark.parametrize("before", ["recycled", "disqualified"])
def test_sales_is_believed_whatever_happened_meanwhile(marketing: Marketing, before: str) -> None:
    lead = marketing.hot()
    if before == "recycled":
        marketing.give_back(lead)
    else:
        marketing.act(lead, "disqualify", {"reason": "competitor"})
    assert marketing.read(lead)["state"] == before
    marketing.accept(lead)
    assert marketing.read(lead)["state"] == "converted"
    assert marketing.said(lead)[-2:] == [before, "converted"]


def test_an_answer_about_an_unknown_lead_waits(marketing: Marketing) -> None:
    marketing.accept({"id": str(uuid.uuid4())})
    assert marketing.facts() == []
    with marketing.service.runtime.database.session() as session:
        states = session.scalars(select(INBOX.c.state).where(INBOX.c.event_type == ACCEPTED)).all()
    assert states == ["ready"]


# -- returned ----------


def test_a_returned_lead_cools_off_and_needs_a_new_sign(marketing: Marketing, clock: Any) -> None:
    lead = marketing.hot()
    marketing.give_back(lead)
    lead = marketing.read(lead)
    assert (outcome(lead), lead["recycle_reason"]) == (("recycled", 1, None), "not_now")
    assert lead["cool_off_until"] == "2026-04-01T09:00:00Z"
    problem = marketing.refused(lead, "qualify", {"reason": "again"})
    assert problem["reasons"] == ["cooling_off", "no_new_behaviour"]
    clock.advance(timedelta(days=1))
    marketing.post(f"/v1/leads/{lead['id']}/behaviours", {"type": "demo_request", "source_id": "web-1"})
    assert marketing.read(lead)["state"] == "recycled"
    clock.advance(timedelta(days=29))
    marketing.service.fire_timers()
    marketing.post(f"/v1/leads/{lead['id']}/behaviours", {"type": "click", "source_id": "web-2"})
    lead = marketing.read(lead)
    assert (lead["state"], lead["handover_no"], lead["recycle_count"]) == ("qualified", 2, 1)


def test_what_sales_finds_not_genuine_is_held(marketing: Marketing) -> None:
    lead = marketing.hot()
    marketing.give_back(lead, reason="not_genuine")
    lead = marketing.read(lead)
    assert (lead["state"], lead["verdict"]["value"], lead["verdict"]["judged_by"]) == (
        "held",
        "suspect",
        "sales",
    )
    assert marketing.said(lead)[-2:] == ["recycled", "judged"]
    assert lead["machine_verdict"]["value"] == "genuine"


@pytest.mark.parametrize("handover_no", [1, 2])
def test_a_late_return_is_only_noted(marketing: Marketing, clock: Any, handover_no: int) -> None:
    lead = marketing.hot()
    clock.advance(4 * HOURS)
    marketing.service.fire_timers()
    if handover_no == 2:
        marketing.accept(lead, handover_no=2)
    before = outcome(marketing.read(lead))
    facts = len(marketing.facts())
    marketing.give_back(lead, handover_no=handover_no)
    lead = marketing.read(lead)
    assert outcome(lead) == before
    assert len(marketing.facts()) == facts
    assert (lead["log"][-1]["verb"], lead["log"][-1]["detail"]) == (
        "late_return",
        f"handover {handover_no}: not_now",
    )


def test_a_late_return_of_a_merged_lead_leaves_its_survivor_with_sales(marketing: Marketing) -> None:
    first = marketing.hot()
    second = marketing.lead(email="i.brandt@elsewhere.example")
    marketing.post(f"/v1/leads/{second['id']}/dismiss-duplicate", {"lead_id": first["id"]})
    marketing.act(second, "qualify", {"reason": "x"})
    marketing.act(first, "merge", {"lead_id": second["id"]})
    marketing.give_back(second)
    assert outcome(marketing.read(first)) == ("qualified", 1, str(ANN))
    assert marketing.said(second)[-1] == "merged"


def test_a_returned_lead_is_not_passed_on_by_the_old_deadline(marketing: Marketing, clock: Any) -> None:
    lead = marketing.hot()
    marketing.give_back(lead)
    clock.advance(timedelta(days=2))
    marketing.service.fire_timers()
    assert marketing.read(lead)["state"] == "recycled"
    assert len(marketing.facts("qualified")) == 1
