"""Leads: offered by marketing, accepted as customer records in one transaction, or given back."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.sales.accounts.queries import find_duplicates
from shared.kernel.ids import new_id
from shared.testing.tokens import bearer
from tests.sales.conftest import Sales, example

QUALIFIED = "crm.marketing.lead.qualified.v1"
LEAD = example(QUALIFIED)["lead_id"]
PATH = f"/v1/leads/{LEAD}"
CHAIN = uuid.UUID(int=7)
CREATE: dict[str, Any] = {
    "account": {"create": {}},
    "contact": {"create": {}},
    "opportunity": {"create": {"name": "Two welding lines"}},
}


def offer(sales: Sales, **changes: Any) -> Any:
    """Marketing hands the lead over; accepted until 13:00."""
    usual = {"owner_id": str(sales.me), "handover_no": 1}
    sales.hear(QUALIFIED, example(QUALIFIED, **{**usual, **changes}), subject=LEAD, correlation_id=CHAIN)
    return sales.get(PATH)


def take_back(sales: Sales, kind: str) -> None:
    sales.hear(f"crm.marketing.lead.{kind}.v1", example(f"crm.marketing.lead.{kind}.v1"), subject=LEAD)


def codes(lead: Any) -> list[str]:
    return [item["code"] for item in lead["attention"]]


def test_a_qualified_lead_is_on_offer(sales: Sales) -> None:
    lead = offer(sales)
    assert (lead["state"], lead["handover_no"], lead["owner_id"]) == ("offered", 1, str(sales.me))
    assert lead["root_correlation_id"] == str(CHAIN)
    assert lead["allowed"] == ["accept", "return"]


def test_accepting_makes_account_contact_and_deal_in_the_leads_chain(sales: Sales) -> None:
    offer(sales)
    before = len(sales.told())
    lead = sales.done(f"{PATH}/accept", CREATE, 1)
    assert (lead["state"], lead["settled_by"]) == ("accepted", str(sales.me))
    assert sales.told()[before:] == [
        "account.created", "contact.created", "opportunity.created", "lead.accepted",
    ]  # fmt: skip
    assert {fact.correlation_id for fact in sales.service.facts()[before:]} == {CHAIN}
    account = sales.get(f"/v1/accounts/{lead['account_id']}")
    assert (account["name"], account["domain"]) == ("Acme Robotics GmbH", "acme-robotics.example")
    contact = sales.get(f"/v1/contacts/{lead['contact_id']}")
    assert (contact["family_name"], contact["emails"][0]["address"]) == (
        "Brandt",
        "ines.brandt@acme-robotics.example",
    )
    deal = sales.get(f"/v1/opportunities/{lead['opportunity_id']}")
    assert (deal["lead_id"], deal["campaign_id"]) == (LEAD, lead["campaign_id"])
    assert (deal["primary_contact_id"], deal["close_date"]) == (contact["id"], "2026-05-31")
    assert deal["root_correlation_id"] == str(CHAIN)
    (fact,) = sales.facts("lead.accepted")
    assert fact.subject == LEAD
    assert (fact.data["handover_no"], fact.data["opportunity_id"]) == (1, deal["id"])


def test_a_second_acceptance_learns_what_became_of_the_first(sales: Sales) -> None:
    offer(sales)
    lead = sales.done(f"{PATH}/accept", CREATE, 1)
    no = sales.refused(409, "lead-already-accepted", f"{PATH}/accept", CREATE, 1)
    assert [no[name] for name in ("account_id", "contact_id", "opportunity_id")] == [
        lead["account_id"], lead["contact_id"], lead["opportunity_id"],
    ]  # fmt: skip
    sales.refused(409, "lead-already-accepted", f"{PATH}/return", {"reason": "not_now"}, 2)
    assert len(sales.facts("account.created")) == 1


def test_a_lead_may_be_linked_and_accepted_without_a_deal(sales: Sales) -> None:
    offer(sales)
    account = sales.account()
    contact = sales.done("/v1/contacts", {"family_name": "Brandt"})
    command = {"account": {"link": account["id"]}, "contact": {"link": contact["id"]}}
    lead = sales.done(f"{PATH}/accept", command, 1)
    assert (lead["account_id"], lead["contact_id"], lead["opportunity_id"]) == (
        account["id"],
        contact["id"],
        None,
    )
    assert sales.facts("opportunity.created") == []


@pytest.mark.parametrize("choice", [{}, {"link": str(uuid.UUID(int=1)), "create": {}}])
def test_one_links_or_creates(sales: Sales, choice: Any) -> None:
    offer(sales)
    assert sales.send(f"{PATH}/accept", CREATE | {"account": choice}, 1).status_code == 422


def test_a_link_to_nothing_leaves_nothing_behind(sales: Sales) -> None:
    offer(sales)
    command = CREATE | {"contact": {"link": str(uuid.uuid4())}}
    assert sales.send(f"{PATH}/accept", command, 1).status_code == 404
    assert (sales.get(PATH)["state"], sales.facts("account.created")) == ("offered", [])


def test_a_probable_duplicate_has_to_be_confirmed(sales: Sales) -> None:
    account = sales.account("ACME Robotics Ltd", website="acme-robotics.example", addresses=[])
    lead = offer(sales)
    # 0.45 for the same name, 0.25 for the same domain.
    assert lead["candidates"]["accounts"] == [
        {"id": account["id"], "name": "ACME Robotics Ltd", "score": "0.7000"}
    ]
    contact = sales.done(
        "/v1/contacts", {"family_name": "B.", "emails": [{"address": lead["person"]["email"]}]}
    )
    no = sales.refused(409, "probable-duplicate", f"{PATH}/accept", CREATE, 1)
    assert (no["record"], no["candidates"]) == (
        "contact",
        [{"id": contact["id"], "name": "B.", "score": "1"}],
    )
    assert (sales.facts("lead.accepted"), len(sales.facts("account.created"))) == ([], 1)
    sales.done(f"{PATH}/accept", CREATE | {"confirm_not_duplicate": True}, 1)
    assert len(sales.facts("account.created")) == len(sales.facts("contact.created")) == 2


def test_an_account_of_the_same_name_domain_and_place_is_probably_the_same(sales: Sales) -> None:
    offer(sales)
    sales.account("ACME Robotics Ltd", website="acme-robotics.example")
    no = sales.refused(409, "probable-duplicate", f"{PATH}/accept", CREATE, 1)
    assert (no["record"], no["candidates"][0]["score"]) == ("account", "0.8000")


def test_likeness_is_measured_by_trigrams(sales: Sales) -> None:
    sales.account("ACME Robotix Ltd", website="https://acme.example", addresses=[])
    with sales.service.runtime.database.session() as session:
        (found,) = find_duplicates(session, {"name": "Acme Robotics, Inc.", "website": "www.acme.example"})
    assert str(found["score"]) == "0.5594"


def test_returning_tells_marketing_why(sales: Sales) -> None:
    offer(sales)
    lead = sales.done(f"{PATH}/return", {"reason": "no_budget", "note": "Next year"}, 1)
    assert (lead["state"], lead["return_reason"], lead["allowed"]) == ("returned", "no_budget", [])
    (fact,) = sales.facts("lead.returned")
    assert (fact.data["reason"], fact.data["note"], fact.data["handover_no"]) == ("no_budget", "Next year", 1)
    assert fact.correlation_id == CHAIN
    no = sales.refused(409, "illegal-state", f"{PATH}/accept", CREATE, 2)
    assert (no["state"], no["allowed"]) == ("returned", [])
    assert sales.send(f"{PATH}/return", {"reason": "bored"}, 2).status_code == 422


def test_a_higher_handover_re_owns_a_lower_one_only_refreshes_the_judgement(sales: Sales) -> None:
    offer(sales, handover_no=2)
    other = str(new_id())
    same = offer(sales, handover_no=1, owner_id=other, score=99, grade="B")
    assert (same["owner_id"], same["score"], same["grade"], same["handover_no"]) == (
        str(sales.me),
        99,
        "B",
        2,
    )
    higher = offer(sales, handover_no=3, owner_id=other)
    assert (higher["owner_id"], higher["handover_no"], higher["state"]) == (other, 3, "offered")


def test_a_returned_lead_comes_back_with_a_higher_handover_only(sales: Sales) -> None:
    offer(sales)
    sales.done(f"{PATH}/return", {"reason": "not_now"}, 1)
    assert offer(sales)["state"] == "returned"
    again = offer(sales, handover_no=2)
    assert (again["state"], again["return_reason"]) == ("offered", None)


def test_an_accepted_lead_stays_accepted(sales: Sales) -> None:
    offer(sales)
    lead = sales.done(f"{PATH}/accept", CREATE, 1)
    assert offer(sales, handover_no=2)["state"] == "accepted"
    take_back(sales, "recycled")
    assert sales.get(PATH)["version"] == lead["version"]


@pytest.mark.parametrize("kind", ["recycled", "disqualified"])
def test_marketing_takes_an_offer_back(sales: Sales, kind: str) -> None:
    offer(sales)
    take_back(sales, kind)
    assert sales.get(PATH)["state"] == "withdrawn"
    sales.refused(409, "illegal-state", f"{PATH}/accept", CREATE, 2)
    sales.pass_time(days=2)
    assert codes(sales.get(PATH)) == []
    assert offer(sales, handover_no=2)["state"] == "offered"


def test_what_never_came_here_needs_no_taking_back(sales: Sales) -> None:
    take_back(sales, "disqualified")
    assert sales.get("/v1/leads")["items"] == []


def test_a_waiting_lead_is_brought_up_at_half_time_and_at_the_end(sales: Sales) -> None:
    offer(sales)  # at 9:00, to be accepted by 13:00
    sales.pass_time(hours=1, minutes=59)
    assert codes(sales.get(PATH)) == []
    sales.pass_time(minutes=1)
    assert codes(sales.get(PATH)) == ["lead_reminder"]
    sales.pass_time(hours=2)
    assert codes(sales.get(PATH)) == ["lead_reminder", "lead_waiting"]
    assert len(sales.get("/v1/leads", needs_attention="true")["items"]) == 1
    assert (sales.get(PATH)["state"], sales.told()) == ("offered", ["pipeline.changed"])
    assert codes(offer(sales, handover_no=2, accept_by="2026-03-03T13:00:00Z")) == []


def test_an_answered_lead_is_not_brought_up(sales: Sales) -> None:
    offer(sales)
    sales.done(f"{PATH}/return", {"reason": "not_now"}, 1)
    sales.pass_time(days=1)
    assert codes(sales.get(PATH)) == []


def test_imported_leads_hurry_nobody(sales: Sales) -> None:
    offer(sales, origin="import")
    with sales.service.runtime.database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM timers WHERE owner_type = 'lead'")).scalar() == 0


def test_a_lead_that_nobody_owns_waits_in_its_teams_queue(sales: Sales) -> None:
    team, member, stranger = new_id(), new_id(), new_id()
    for person, teams in ((member, [str(team)]), (stranger, [])):
        user = example("crm.identity.user.created.v1", user_id=str(person), team_ids=teams)
        sales.hear("crm.identity.user.created.v1", user, subject=person)
    offer(sales, owner_id=None, owner_team_id=str(team), accept_by=None)
    may = {"lead.read": "team", "lead.accept": "own", "contact.read": "own"}
    theirs = {person: bearer(person, may) for person in (member, stranger)}
    assert sales.client.get(PATH, headers=theirs[stranger]).status_code == 404
    assert sales.send(f"{PATH}/accept", CREATE, 1, headers=theirs[stranger]).status_code == 404
    lead = sales.done(f"{PATH}/accept", CREATE, 1, headers=theirs[member])
    assert lead["owner_id"] == str(member)
    assert sales.facts("account.created")[0].data["owner_id"] == str(member)


def test_a_late_reminder_of_an_earlier_handover_says_nothing(sales: Sales) -> None:
    offer(sales)
    sales.clock.advance(timedelta(hours=5))
    offer(sales, handover_no=2, accept_by="2026-03-05T13:00:00Z", qualified_at="2026-03-02T14:00:00Z")
    sales.service.fire_timers()
    assert codes(sales.get(PATH)) == []


def test_a_lead_that_marketing_erased_says_no_more_who_it_was(sales: Sales) -> None:
    offer(sales)
    call = {"type": "call", "subject": "Ines is ill", "regarding": [{"type": "lead", "id": LEAD}]}
    logged = sales.done("/v1/activities/log", call)
    for _ in range(2):
        take_back(sales, "erased")
    assert sales.get(f"/v1/activities/{logged['id']}")["subject"] == "Erased"
    assert {fact.subject for fact in sales.facts("lead.erased")} == {LEAD}
    with sales.service.runtime.database.session() as session:
        person, interest = session.execute(text("SELECT person, interest FROM leads")).one()
    assert (set(person.values()), interest) == ({None}, None)


def test_erasing_the_contact_names_the_lead_it_came_from(sales: Sales) -> None:
    offer(sales)
    accepted = sales.done(f"{PATH}/accept", CREATE, 1)
    person = sales.get(f"/v1/contacts/{accepted['contact_id']}")
    sales.erase(person)
    assert sales.facts("contact.erased")[0].data["lead_ids"] == [LEAD]


def test_a_lead_does_not_become_an_erased_contact(sales: Sales) -> None:
    offer(sales)
    person = sales.done("/v1/contacts", {"family_name": "Brandt"})
    sales.erase(person)
    body = {**CREATE, "contact": {"link": person["id"]}}
    sales.refused(409, "contact-not-live", f"{PATH}/accept", body, 1)
