"""Accounts and contacts: created, changed, found, linked to the ERP."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sales.conftest import BERLIN, Sales, euros, example

LINKED = "crm.erp.customer.linked.v1"


def test_an_account_keeps_what_it_is_told_and_tells_it(sales: Sales) -> None:
    account = sales.account(website="https://www.acme.example/de", annual_revenue=euros("1000000.00"))
    assert (account["kind"], account["status"], account["currency"]) == ("prospect", "live", "EUR")
    assert (account["domain"], account["owner_id"]) == ("acme.example", str(sales.me))
    (fact,) = sales.facts("account.created")
    assert fact.data["annual_revenue"] == euros("1000000.00")
    assert fact.data["addresses"][0]["verified"] is False


def test_free_mail_is_no_domain(sales: Sales) -> None:
    assert sales.account(website="gmail.com")["domain"] is None


def test_there_is_one_primary_address_of_a_type(sales: Sales) -> None:
    answer = sales.send("/v1/accounts", {"name": "Acme", "addresses": [BERLIN, BERLIN]})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/addresses")


def test_a_hierarchy_has_no_rings_and_ten_levels(sales: Sales) -> None:
    chain = [sales.account("Level 1")]
    for level in range(2, 11):
        chain.append(sales.account(f"Level {level}", parent_id=chain[-1]["id"]))
    body = {"name": "Level 11", "parent_id": chain[-1]["id"]}
    sales.refused(422, "parent-ring", "/v1/accounts", body)
    for below in (chain[0], chain[4]):
        path = f"/v1/accounts/{chain[0]['id']}"
        answer = sales.send(path, {"parent_id": below["id"]}, 1, method="PATCH")
        assert (answer.status_code, answer.json["type"]) == (422, "/problems/parent-ring")
    assert sales.facts("account.changed") == []


def test_an_account_is_found_by_part_of_its_name_and_start_of_its_domain(sales: Sales) -> None:
    sales.account("Acme Robotics GmbH", website="acme.example")
    sales.account("Other Ltd")
    for asked in ("robot", "acme.ex"):
        assert [a["name"] for a in sales.get("/v1/accounts", q=asked)["items"]] == ["Acme Robotics GmbH"]
    assert sales.get("/v1/accounts", q="%")["items"] == []


def test_an_external_id_is_taken_once(sales: Sales) -> None:
    sales.account(external_id="A-1")
    sales.refused(409, "account-exists", "/v1/accounts", {"name": "Acme", "external_id": "A-1"})


@pytest.mark.parametrize(("number", "kept"), [("D-4711", "D-4711"), (None, "4711")])
def test_the_erp_number_is_the_erps(sales: Sales, number: str | None, kept: str) -> None:
    account = sales.account()
    linked = example(LINKED, account_id=account["id"], erp_customer_id="4711", erp_number=number)
    for _ in range(2):
        sales.hear(LINKED, linked, subject=account["id"])
    assert sales.get(f"/v1/accounts/{account['id']}")["erp_number"] == kept
    (fact,) = sales.facts("account.changed")
    assert (fact.data["changed_fields"], fact.data["erp_number"]) == (["erp_number"], kept)


def test_a_link_of_an_account_that_is_not_here_is_tried_again(sales: Sales) -> None:
    sales.service.deliver(LINKED, example(LINKED, account_id=str(uuid.uuid4())))
    assert sales.errors()[0].startswith("AccountUnknown")


# -- contacts ----------------------------------------------------------------------------------------------------


def contact(sales: Sales, **values: Any) -> Any:
    usual = {"given_name": "Inès", "family_name": "Brandt", "emails": [{"address": "ines@acme.example"}]}
    return sales.done("/v1/contacts", {**usual, **values})


def test_a_contact_keeps_what_it_is_told_and_tells_it(sales: Sales) -> None:
    account = sales.account()
    phones = [{"number": "+49 30 1234567", "is_primary": True}]
    made = contact(sales, account_id=account["id"], phones=phones, language="de", time_zone="Europe/Berlin")
    assert made["phones"] == [{"number": "+49301234567", "is_primary": True}]
    assert (made["do_not_call"], made["owner_id"]) == (False, str(sales.me))
    (fact,) = sales.facts("contact.created")
    assert (fact.data["family_name"], fact.data["account_id"]) == ("Brandt", account["id"])
    assert fact.headers["ce_dataclass"] == "pii"


def test_changing_a_contact_tells_what_changed(sales: Sales) -> None:
    made = contact(sales)
    path = f"/v1/contacts/{made['id']}"
    changed = sales.done(path, {"do_not_call": True, "given_name": "Inès"}, 1, method="PATCH")
    assert (changed["version"], changed["do_not_call"]) == (2, True)
    assert sales.facts("contact.changed")[0].data["changed_fields"] == ["do_not_call"]
    assert sales.send(path, {"title": "CEO"}, 1, method="PATCH").status_code == 412


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"given_name": None, "family_name": None}, "/family_name"),
        ({"emails": [{"address": "no"}]}, "/emails/0/address"),
        ({"emails": [{"address": f"{n}@a.example", "is_primary": True} for n in "ab"]}, "/emails"),
        ({"phones": [{"number": "110"}]}, "/phones/0/number"),
        ({"language": "german"}, "/language"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"status": "erased"}, "/status"),
    ],
)
def test_what_a_contact_cannot_be(sales: Sales, values: dict[str, Any], pointer: str) -> None:
    answer = sales.send("/v1/contacts", {"family_name": "Brandt", **values})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)
    assert sales.facts("contact.created") == []


def test_a_contact_stands_at_an_account_that_is_there(sales: Sales) -> None:
    answer = sales.send("/v1/contacts", {"family_name": "Brandt", "account_id": str(uuid.uuid4())})
    assert answer.status_code == 404


def test_contacts_are_found_by_name_mail_and_phone(sales: Sales) -> None:
    made = contact(sales, phones=[{"number": "+49301234567"}])
    contact(sales, given_name="Other", family_name=None, emails=[])
    for asked in ({"q": "ines br"}, {"email": "ines@acme.example"}, {"phone": "+49301234567"}):
        assert [found["id"] for found in sales.get("/v1/contacts", **asked)["items"]] == [made["id"]]


# -- erasing -----------------------------------------------------------------------------------------------------


def test_an_erased_contact_says_no_more_who_it_was(sales: Sales) -> None:
    account = sales.account()
    made = contact(
        sales,
        account_id=account["id"],
        title="Head of Production",
        phones=[{"number": "+49301234567"}],
        address={"lines": ["Lindenstr. 9"], "country": "DE"},
        language="de",
        time_zone="Europe/Berlin",
        preferred_channel="email",
        external_id="x-1",
    )
    erased = sales.erase(made)["contact"]
    assert (erased["status"], erased["given_name"], erased["family_name"]) == (
        "erased",
        None,
        "Erased contact",
    )
    assert [erased[name] for name in ("emails", "phones", "do_not_call")] == [[], [], True]
    for name in ("title", "address", "language", "time_zone", "preferred_channel", "external_id"):
        assert erased[name] is None
    assert (erased["account_id"], erased["owner_id"]) == (account["id"], str(sales.me))
    assert sales.get("/v1/contacts", q="ines")["items"] == []
    (fact,) = sales.facts("contact.erased")
    assert (fact.data["lead_ids"], fact.data["erased_at"]) == ([], "2026-03-02T09:00:00Z")
    answer = sales.send(f"/v1/contacts/{made['id']}", {"title": "CEO"}, erased["version"], method="PATCH")
    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (409, "contact-not-live")


def test_what_was_written_about_an_erased_contact_goes_and_what_was_planned_is_called_off(
    sales: Sales,
) -> None:
    made, other = contact(sales), contact(sales, given_name="Otto", emails=[])
    regarding = [{"type": "contact", "id": made["id"]}]
    spoken = {"direction": "outbound", "call_ref": "+49301234567", "disposition": "Her husband answered"}
    call = {"type": "call", "subject": "Inès is ill", "outcome": "Ring her at home", "regarding": regarding}
    logged = sales.done("/v1/activities/log", {**call, "call": spoken})
    visit = {"type": "visit", "subject": "See Inès", "due_at": "2026-03-03T09:00:00Z", "regarding": regarding}
    planned = sales.done("/v1/activities", visit)
    both = [{"type": "contact", "id": person["id"]} for person in (made, other)]
    meeting = {**visit, "type": "meeting", "regarding": [], "participants": both}
    met = sales.done("/v1/activities", meeting)
    second = sales.done("/v1/activities", {**visit, "regarding": [both[1], both[0]]})
    foreign = sales.done("/v1/activities", {**visit, "regarding": [both[1]]})
    assert sales.erase(made)["erased_activities"] == 4

    def shown(activity: Any) -> list[Any]:
        now = sales.get(f"/v1/activities/{activity['id']}")
        return [now[name] for name in ("status", "subject", "outcome")]

    assert shown(logged) == ["completed", "Erased", None]
    heard = sales.get(f"/v1/activities/{logged['id']}")["call"]
    assert heard == {"direction": "outbound", "call_ref": None, "disposition": None}
    assert shown(planned) == ["cancelled", "Erased", None]
    assert shown(met) == shown(second) == ["planned", "Erased", None]
    assert shown(foreign) == ["planned", "See Inès", None]
    erased = {fact.subject for fact in sales.facts("activity.erased")}
    assert erased == {activity["id"] for activity in (logged, planned, met, second)}
    assert all(fact.data["subject"] == "Erased" for fact in sales.facts("activity.cancelled"))


def test_quotes_that_name_an_erased_contact_are_kept_and_told(sales: Sales) -> None:
    made = contact(sales)

    def sent(**recipient: Any) -> Any:
        quote = sales.quote()
        quote = sales.done(f"/v1/quotes/{quote['id']}/submit", version=quote["version"])
        return sales.done(f"/v1/quotes/{quote['id']}/send", {"recipients": [recipient]}, quote["version"])

    to_her = sent(email="else@acme.example", contact_id=made["id"])
    to_her_address, signed, foreign = (
        sent(email=f"{name}@acme.example") for name in ("ines", "boss", "otto")
    )
    signer = {"name": "Inès Brandt", "email": "ines@acme.example"}
    assert sales.accept(signed, signer=signer).status_code == 200
    kept = sales.erase(made)["kept_quotes"]
    assert kept == sorted(quote["number"] for quote in (to_her, to_her_address, signed))
    assert foreign["number"] not in kept
    assert sales.get(f"/v1/quotes/{to_her['id']}")["recipients"][0]["email"] == "else@acme.example"


@pytest.mark.parametrize(
    ("name", "bears"), [("Inès Brandt", True), ("INES@acme.example", True), ("Brandt GmbH", False)]
)
def test_an_account_that_is_called_like_an_erased_contact_is_pointed_out(
    sales: Sales, name: str, bears: bool
) -> None:
    account = sales.account(name=name)
    assert sales.erase(contact(sales, account_id=account["id"]))["account_bears_name"] is bears
    assert sales.get(f"/v1/accounts/{account['id']}")["name"] == name


def test_nothing_new_is_written_about_an_erased_contact(sales: Sales) -> None:
    made = sales.erase(contact(sales))["contact"]
    body = {"type": "task", "subject": "Ring her", "regarding": [{"type": "contact", "id": made["id"]}]}
    for path in ("/v1/activities", "/v1/activities/log"):
        sales.refused(409, "contact-not-live", path, body)


def test_erasing_again_tells_it_again(sales: Sales) -> None:
    erased = sales.erase(contact(sales))["contact"]
    again = sales.erase(erased)["contact"]
    assert again["version"] > erased["version"]
    assert [fact.version for fact in sales.facts("contact.erased")] == [2, 3]


def test_erasing_needs_its_permission_a_fresh_second_factor_and_the_version(sales: Sales) -> None:
    made = contact(sales)
    path = f"/v1/contacts/{made['id']}/erase"
    assert sales.send(path, version=1, headers=sales.fresh("contact.edit")).status_code == 403
    refused = sales.send(path, version=1)
    assert (
        refused.status_code,
        "insufficient_user_authentication" in refused.headers["WWW-Authenticate"],
    ) == (
        401,
        True,
    )
    assert sales.send(path, headers=sales.fresh()).status_code == 428
    assert sales.send(path, version=2, headers=sales.fresh()).status_code == 412
    assert sales.get(f"/v1/contacts/{made['id']}")["status"] == "live"
