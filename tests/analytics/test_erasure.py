"""Persons who are forgotten: the archive loses who they were, and no figure moves."""

from __future__ import annotations

from typing import Any

import orjson

from services.analytics.archive.erasure import without_personal_data
from tests.analytics.world import Analytics, Deal, Told, days, example

CONTACT, OTHER = "018f3b1e-0000-7000-8000-000000000105", "018f3b1e-0000-7000-8000-0000000001ff"
CASE = "018f3b1e-0000-7000-8000-000000000112"
LEAD = "018f3b1e-0000-7000-8000-000000000106"


def contact(past: str, version: int, contact_id: str = CONTACT) -> Told:
    data = example(f"sales/contact.{past}.v1/typical", contact_id=contact_id)
    return Told(f"crm.sales.contact.{past}.v1", data, contact_id, version)


def archived(analytics: Analytics, aggregate_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = analytics.get("/v1/archive/events", aggregate_id=aggregate_id)["items"]
    return found


def test_what_a_type_out_of_the_contracts_says_of_persons_goes_whole() -> None:
    assert without_personal_data("crm.sales.contact.tattooed.v1", "pii", b'{"where": "arm"}') == b"{}"
    assert without_personal_data("crm.sales.contact.counted.v1", "none", b'{"n": 1}') == b'{"n": 1}'


def test_an_erasure_blanks_what_came_before_it_and_nothing_of_others(analytics: Analytics) -> None:
    analytics.tell(contact("created", 1), contact("created", 1, OTHER), contact("changed", 2))
    before = [event["data"]["family_name"] for event in archived(analytics, CONTACT)]
    assert before == ["Brandt", "Brandt"]
    analytics.tell(contact("erased", 3))
    created, changed, erased = archived(analytics, CONTACT)
    for event in (created, changed):
        data = event["data"]
        assert [data[name] for name in ("given_name", "family_name", "title")] == [None, None, None]
        assert (data["emails"], data["phones"]) == ([], [])
        assert (data["address"], data["account_id"] is not None) == (None, True)
        assert event["erased_at"] is not None
    assert (erased["data"]["family_name"], erased["erased_at"]) == ("Erased contact", None)
    (other,) = archived(analytics, OTHER)
    assert (other["data"]["family_name"], other["erased_at"]) == ("Brandt", None)


def test_an_erasure_in_the_batch_of_what_it_concerns_counts_too(analytics: Analytics) -> None:
    analytics.archive(contact("created", 1), contact("erased", 2))
    assert archived(analytics, CONTACT)[0]["data"]["family_name"] is None


def test_told_again_it_changes_nothing(analytics: Analytics) -> None:
    analytics.archive(contact("created", 1), contact("erased", 2))
    before = analytics.rows("SELECT event_id, payload, erased_at FROM archive ORDER BY position")
    analytics.archive(contact("erased", 3))
    after = analytics.rows("SELECT event_id, payload, erased_at FROM archive ORDER BY position")
    assert after[:2] == before


def test_no_figure_moves_and_a_rebuild_gives_the_same(analytics: Analytics) -> None:
    deal = Deal()
    lead = example("marketing/lead.captured.v1/typical")
    case = example("support/case.opened.v1/typical")
    call = example("sales/activity.completed.v1/typical")
    analytics.tell(
        contact("created", 1),
        Told("crm.marketing.lead.captured.v1", lead, lead["lead_id"]),
        Told("crm.support.case.opened.v1", case, case["case_id"]),
        Told("crm.sales.activity.completed.v1", call, call["activity_id"]),
        deal.tell("created"),
        deal.tell("won", days(1)),
    )
    erasures = [contact("erased", 2)]
    for name, key in (
        ("marketing/lead", "lead_id"),
        ("support/case", "case_id"),
        ("sales/activity", "activity_id"),
    ):
        data = example(f"{name}.erased.v1/typical")
        erasures.append(Told(f"crm.{name.replace('/', '.')}.erased.v1", data, data[key], 2))
    analytics.tell(*erasures)
    digest = analytics.digest()
    for projection in analytics.get("/v1/projections")["items"]:
        analytics.post(f"/v1/projections/{projection['name']}/rebuild", 202)
    analytics.catch_up()
    assert analytics.digest() == digest
    everything = b"".join(bytes(row[0]) for row in analytics.rows("SELECT payload FROM archive"))
    for word in ("Ines", "Brandt", "+49", case["subject"], call["subject"], call["outcome"]):
        assert orjson.dumps(word).strip(b'"') not in everything, word
    timeline = "SELECT string_agg(summary, ' ') FROM timeline"
    assert call["subject"] not in analytics.rows(timeline)[0][0]
