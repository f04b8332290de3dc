"""The small believable company that a new suite starts with: Northwind Robotics sells machines in three countries.

Everything goes through the HTTP APIs. Records are known by their names, SKUs or external ids, so a second time changes
nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from deploy.local.client import ChangedMeanwhile, SuiteClient
from deploy.local.problems import LocalProblem
from deploy.local.suite import LocalSuite

__all__ = ["FORM", "seed"]

FORM = "Ask for a demonstration"
"""The public form that brings in leads."""
_FORM_FIELDS = (
    "given_name",
    "family_name",
    "email",
    "phone",
    "title",
    "country",
    "employee_count",
    "product_group",
)

_HEARD_WITHIN = 30.0
"""Seconds within which field service must know of new technicians."""

_TEAMS = (
    ("Sales", "sales", None),
    ("Sales North", "sales", "Sales"),
    ("Sales South", "sales", "Sales"),
    ("Marketing", "marketing", None),
    ("Support", "support", None),
    ("Field service", "field", None),
)
# name, role, team, manager
_PEOPLE = (
    ("Helena Brandt", "sales_manager", "Sales", None),
    ("Jonas Weber", "sales_rep", "Sales North", "Helena Brandt"),
    ("Mia Schulz", "sales_rep", "Sales North", "Helena Brandt"),
    ("Luca Moretti", "sales_rep", "Sales South", "Helena Brandt"),
    ("Nora Lindqvist", "marketer", "Marketing", None),
    ("Omar Haddad", "support_lead", "Support", None),
    ("Ewa Nowak", "agent", "Support", "Omar Haddad"),
    ("Piet de Vries", "dispatcher", "Field service", None),
    ("Sven Olsen", "technician", "Field service", "Piet de Vries"),
    ("Aylin Kaya", "technician", "Field service", "Piet de Vries"),
)
# sku, name, family, kind, price, cost, installed on site, warranty months
_PRODUCTS = (
    ("RC-500", "Robot controller RC-500", "Controllers", "good", "8900", "5100.00", True, 24),
    ("ARM-6", "Six-axis arm ARM-6", "Arms", "good", "24500", "15200.00", True, 24),
    ("GRIP-2", "Two-finger gripper", "Tools", "good", "1250", "610.00", False, 12),
    ("CELL-S", "Safety cell S", "Cells", "good", "6400", "3900.00", True, 12),
    ("VIS-1", "Vision kit VIS-1", "Tools", "good", "3150", "1480.00", False, 24),
    ("CARE-12", "Care contract, 12 months", "Services", "service", "1980", "700.00", False, 0),
    ("TRAIN-1", "Operator training, one day", "Services", "service", "1200", "450.00", False, 0),
    ("CLOUD-M", "Fleet cloud, per month", "Subscriptions", "subscription", "149", "20.00", False, 0),
)
# name, industry, city, postal code, country, employees
_ACCOUNTS = (
    ("Kettler Antriebstechnik GmbH", "Machinery", "Stuttgart", "70173", "DE", 420),
    ("Hansa Verpackung AG", "Packaging", "Hamburg", "20095", "DE", 1800),
    ("Molkerei Alpenland eG", "Food", "Kempten", "87435", "DE", 610),
    ("Voss Kunststofftechnik", "Plastics", "Osnabrueck", "49074", "DE", 95),
    ("Brouwer Logistics BV", "Logistics", "Rotterdam", "3011", "NL", 740),
    ("De Graaf Zuivel BV", "Food", "Utrecht", "3511", "NL", 260),
    ("Officine Ferraro SpA", "Automotive", "Torino", "10121", "IT", 1350),
    ("Ceramiche Riva Srl", "Ceramics", "Modena", "41121", "IT", 180),
    ("Pharma Lombarda SpA", "Pharmaceuticals", "Milano", "20121", "IT", 2100),
    ("Elektro Sommer KG", "Electronics", "Leipzig", "04109", "DE", 130),
    ("Baltic Timber UAB", "Wood", "Vilnius", "01100", "LT", 330),
    ("Atelier Horloger Morel", "Watches", "Besancon", "25000", "FR", 60),
)
_GIVEN = (
    "Anna",
    "Bruno",
    "Carla",
    "David",
    "Elena",
    "Felix",
    "Greta",
    "Hugo",
    "Irina",
    "Jan",
    "Katrin",
    "Leo",
)
_FAMILY = (
    "Keller",
    "Visser",
    "Romano",
    "Fischer",
    "Jansen",
    "Conti",
    "Krause",
    "Smit",
    "Greco",
    "Vogel",
    "Petrauskas",
    "Morel",
)
_STAGES = ("initiation", "identification", "qualification", "rfp_received", "quotation_sent", "final")


def seed(suite: LocalSuite) -> None:
    """Fill `suite` through its HTTP APIs, once all services are ready; a second time changes nothing."""
    client = SuiteClient(suite)
    present = frozenset(suite.services)
    if "identity" not in present:
        return
    _company(client)
    teams = _teams(client)
    people = _people(client, teams)
    if "fieldservice" in present:
        _technicians(client, people)
    if "sales" in present:
        _products(client)
        accounts = _accounts(client, people)
        _deals(client, people, accounts)
    if "marketing" in present:
        _form(client, teams["Sales North"])


def _company(client: SuiteClient) -> None:
    organisation = client.read("identity", "/v1/organisation")
    wanted = {"name": "Northwind Robotics", "base_currency": "EUR", "company_zone": "Europe/Berlin"}
    if organisation["name"] != wanted["name"]:
        client.change("identity", organisation, "", **wanted)
        for currency, rate in (("USD", "0.9175"), ("GBP", "1.1620"), ("CHF", "1.0480")):
            body = {"currency": currency, "rate": rate, "valid_from": "2020-01-01"}
            client.post("identity", "/v1/exchange-rates", body)


def _teams(client: SuiteClient) -> dict[str, str]:
    known = {team["name"]: team["id"] for team in client.items("identity", "/v1/teams")}
    for name, kind, parent in _TEAMS:
        if name not in known:
            body = {"name": name, "kind": kind, "parent_id": known.get(parent or "")}
            known[name] = client.post("identity", "/v1/teams", body)["id"]
    return known


def _people(client: SuiteClient, teams: dict[str, str]) -> dict[str, str]:
    known = {user["email"]: user["id"] for user in client.items("identity", "/v1/users")}
    ids: dict[str, str] = {}
    for name, role, team, manager in _PEOPLE:
        email = f"{name.lower().replace(' ', '.')}@northwind.example"
        if email not in known:
            body = {
                "email": email,
                "display_name": name,
                "role_names": [role],
                "team_ids": [teams[team]],
                "manager_id": ids.get(manager or ""),
                "time_zone": "Europe/Berlin",
            }
            invited = client.post("identity", "/v1/users", body)
            client.open_door(
                "identity", "POST", "/public/v1/invitations/accept", {"token": invited["invitation_token"]}
            )
            known[email] = invited["id"]
        ids[name] = known[email]
    return ids


def _technicians(client: SuiteClient, people: dict[str, str]) -> None:
    """Users with the role become technicians by themselves, once field service hears of them; they get skills here."""
    wanted = {people[name] for name, role, _, _ in _PEOPLE if role == "technician"}
    deadline = time.monotonic() + _HEARD_WITHIN
    while True:
        known = [row for row in client.items("fieldservice", "/v1/technicians") if row["user_id"] in wanted]
        if len(known) == len(wanted):
            break
        if time.monotonic() > deadline:
            raise LocalProblem("Field service has not heard of its technicians: is its bus process running?")
        time.sleep(0.1)
    for row in known:
        _teach(client, f"/v1/technicians/{row['id']}")


def _teach(client: SuiteClient, path: str) -> None:
    while not (technician := client.read("fieldservice", path))["skills"]:
        # Between the two, a second fact about the user may arrive and move the version.
        with suppress(ChangedMeanwhile):
            client.change("fieldservice", technician, "", skills=[{"skill": "robotics", "level": 4}])


def _products(client: SuiteClient) -> None:
    known = {product["sku"] for product in client.items("sales", "/v1/products")}
    for sku, name, family, kind, price, cost, installed, warranty in _PRODUCTS:
        if sku not in known:
            body = {
                "sku": sku,
                "name": name,
                "family": family,
                "kind": kind,
                "prices": {"EUR": price},
                "standard_cost": {"amount": cost, "currency": "EUR"},
                "needs_installation": installed,
                "warranty_months": warranty,
                "serialised": kind == "good",
            }
            client.post("sales", "/v1/products", body)


def _accounts(client: SuiteClient, people: dict[str, str]) -> dict[str, str]:
    known = {row["external_id"]: row["id"] for row in client.items("sales", "/v1/accounts")}
    owners = [people[name] for name, role, _, _ in _PEOPLE if role == "sales_rep"]

    def create(position: int) -> tuple[str, str]:
        name, industry, city, postal_code, country, employees = _ACCOUNTS[position]
        key = f"seed-account-{position}"
        if key in known:
            return key, known[key]
        address = {
            "lines": [f"Industriestrasse {position * 7 + 3}"],
            "locality": city,
            "postal_code": postal_code,
            "country": country,
        }
        body = {
            "name": name,
            "industry": industry,
            "employee_count": employees,
            "website": f"https://www.{name.split()[0].lower()}-{position}.example",
            "owner_id": owners[position % len(owners)],
            "external_id": key,
            "addresses": [{**address, "type": kind, "is_primary": True} for kind in ("billing", "shipping")],
        }
        account_id: str = client.post("sales", "/v1/accounts", body)["id"]
        person = {
            "given_name": _GIVEN[position],
            "family_name": _FAMILY[position],
            "account_id": account_id,
            "title": ("Head of production", "Purchasing", "Managing director")[position % 3],
            "emails": [
                {
                    "address": f"{_GIVEN[position]}.{_FAMILY[position]}@{city}.example".lower(),
                    "is_primary": True,
                }
            ],
        }
        client.post("sales", "/v1/contacts", person)
        return key, account_id

    return dict(_together(create, range(len(_ACCOUNTS))))


def _deals(client: SuiteClient, people: dict[str, str], accounts: dict[str, str]) -> None:
    """Some thirty deals over all stages, a few of them lost."""
    known = {row["external_id"] for row in client.items("sales", "/v1/opportunities")}
    owners = [people[name] for name, role, _, _ in _PEOPLE if role == "sales_rep"]
    # The same company every time: a seeded source, not a secret.
    chance = random.Random(20)
    today = datetime.now(UTC).date()
    plans = [_plan(number, chance, today) for number in range(30)]

    def create(plan: dict[str, Any]) -> None:
        key = plan["external_id"]
        if key in known:
            return
        lost, account = plan.pop("lost"), plan.pop("account")
        owner_id = owners[account % len(owners)]
        body = {**plan, "account_id": accounts[f"seed-account-{account}"], "owner_id": owner_id}
        deal = client.post("sales", "/v1/opportunities", body)
        if lost:
            client.change("sales", deal, "lose", reason=lost, note="Seen in the first week of the quarter.")

    _together(create, plans)


def _plan(number: int, chance: random.Random, today: date) -> dict[str, Any]:
    lost = chance.choice(["price", "competitor", "no_budget"]) if number % 6 == 5 else None
    products = ("welding line", "palletiser", "pick and place cell", "vision retrofit", "training programme")
    return {
        "external_id": f"seed-deal-{number}",
        "name": f"{chance.choice(products).capitalize()} {number + 1}",
        "account": number % len(_ACCOUNTS),
        "stage": _STAGES[number % len(_STAGES)],
        "amount": {"amount": f"{chance.randrange(6, 190) * 500}.00", "currency": "EUR"},
        "close_date": (today + timedelta(days=chance.randrange(10, 180))).isoformat(),
        "lost": lost,
    }


def _form(client: SuiteClient, team_id: str) -> None:
    known = {form["name"] for form in client.items("marketing", "/v1/forms")}
    if FORM not in known:
        names = {**dict.fromkeys(_FORM_FIELDS), "company": "company_name", "message": "interest"}
        body = {
            "name": FORM,
            "fields": {name: field or name for name, field in names.items()},
            "behaviour_type": "demo_request",
            "owner_team_id": team_id,
        }
        client.post("marketing", "/v1/forms", body)


def _together(create: Any, items: Iterable[Any]) -> list[Any]:
    """Do it for all items, a few at a time."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(create, items))
