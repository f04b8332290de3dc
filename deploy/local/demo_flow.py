"""The steps of the demo: what people do at the suite's HTTP APIs from the first contact to the paid invoice."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from deploy.local.client import Answer, SuiteClient
from deploy.local.demo_chain import Chain
from deploy.local.demo_story import Chapter
from deploy.local.problems import LocalProblem
from deploy.local.seed import FORM
from deploy.local.suite import LocalSuite

__all__ = [
    "Cast",
    "Deal",
    "accept_lead",
    "accept_offer",
    "ask_for_demonstration",
    "find_order",
    "install",
    "known_deal",
    "sell",
    "send_offer",
]

_BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
_ADDRESS = {"lines": ["Hafenstrasse 12"], "locality": "Bremen", "postal_code": "28195", "country": "DE"}
_WAY = {
    "identification": "identification",
    "qualification": "qualification",
    "rfp_received": "the request for proposal",
}
# sku, quantity: one machine that a technician installs, two parts, one contract.
_LINES = (("ARM-6", 1), ("GRIP-2", 2), ("CARE-12", 1))
_DISCOUNT_BP = 1500  # enough that a manager has to approve


@dataclass
class Deal:
    """What the demo knows of a deal. `version` is that of the opportunity as last read."""

    opportunity_id: str
    account_id: str
    contact_id: str | None
    owner_id: str
    email: str
    order_id: str = ""


class Cast:
    """Who takes part: the administrator, and the people and products of the seeded company."""

    def __init__(self, suite: LocalSuite, admin: SuiteClient | None = None) -> None:
        self.suite = suite
        self.admin = admin or SuiteClient(suite)
        self._clients: dict[str, SuiteClient] = {}

    def user(self, user_id: str) -> SuiteClient:
        """A client in the name of a user."""
        return self._clients.setdefault(user_id, self.admin.as_user(user_id))

    def role(self, name: str) -> SuiteClient:
        """A client in the name of the first user with a role. Raises LocalProblem."""
        return self.user(self.user_with(name))

    def user_with(self, role: str) -> str:
        """Id of the first user with a role. Raises LocalProblem when the suite has none."""
        for user in self._users:
            if role in user["role_names"]:
                return str(user["id"])
        raise _not_seeded(f"no user with the role {role}")

    def chain(self, correlation_id: str) -> Chain:
        """The chain of facts with this id."""
        return Chain(self.admin, self.suite.services, correlation_id)

    @cached_property
    def _users(self) -> list[dict[str, Any]]:
        return list(self.admin.items("identity", "/v1/users", state="active", sort="email"))

    @cached_property
    def products(self) -> dict[str, str]:
        """Ids by SKU. Raises LocalProblem when one is missing."""
        known = {row["sku"]: str(row["id"]) for row in self.admin.items("sales", "/v1/products")}
        if missing := {sku for sku, _ in _LINES} - known.keys():
            raise _not_seeded(f"no product {sorted(missing)[0]}")
        return known

    @cached_property
    def form_id(self) -> str:
        """The public form. Raises LocalProblem when there is none."""
        for form in self.admin.items("marketing", "/v1/forms"):
            if form["name"] == FORM:
                return str(form["id"])
        raise _not_seeded(f"no form called {FORM!r}")


def ask_for_demonstration(cast: Cast, chapter: Chapter) -> Answer:
    """A stranger fills the public form; marketing judges and scores, and hands the lead to sales. The lead as sales
    is offered it."""
    # Mail, telephone and company are new each time: marketing would know her again.
    moment = time.time_ns() // 1_000_000
    code = f"{moment:x}"[-6:]
    sent = {
        "given_name": "Clara",
        "family_name": "Lindner",
        "email": f"clara.lindner@lindner-{code}.example",
        "phone": f"+49 421 {20_000_000 + moment % 70_000_000}",
        "title": "Head of production",
        "company": f"Lindner Palettiertechnik {code.upper()}",
        "country": "DE",
        "employee_count": "180",
        "product_group": "Arms",
        "message": "We want to see how an arm feeds our packing line.",
    }
    door = f"/public/v1/forms/{cast.form_id}"
    stranger = cast.admin.open_door
    lead_id = chapter.did(
        f"A stranger sends the form “{FORM}”", stranger, "marketing", "POST", door, sent, **_BROWSER
    )["lead_id"]
    path = f"/v1/leads/{lead_id}"
    judged = chapter.until(
        "The verdict about the lead",
        lambda: cast.admin.read("marketing", path),
        lambda lead: lead["state"] not in ("new",),
    )
    chapter.follow(cast.chain(judged["root_correlation_id"]))
    if judged["verdict"]["value"] == "suspect":
        _judge_by_hand(cast, chapter, path)
    lead = chapter.until(
        "The qualified lead in sales",
        lambda: _find(cast.admin, "sales", "/v1/leads", ids=lead_id),
        lambda found: found is not None,
    )
    assert lead is not None
    told = cast.admin.read("marketing", path)
    heat = f"{told['temperature']}, grade {told['grade']}, score {told['score_ref']:.0f}"
    chapter.note("marketing", f"The lead is {told['verdict']['value']}, {heat}: sales has it", kind="state")
    return cast.admin.read("sales", path)


def accept_lead(cast: Cast, chapter: Chapter, lead: Answer) -> Deal:
    """Its owner accepts the lead: account, contact and deal at once; then he adds the address and moves the deal on."""
    rep = cast.user(lead["owner_id"])
    command = {
        "account": {"create": {}},
        "contact": {"create": {}},
        "opportunity": {"create": {"name": "Feeding the packing line"}},
        "confirm_not_duplicate": True,
    }
    words = "The representative accepts: account, contact and deal are there"
    accepted = chapter.did(words, rep.change, "sales", lead, "accept", **command)
    deal = Deal(
        opportunity_id=accepted["opportunity_id"],
        account_id=accepted["account_id"],
        contact_id=accepted["contact_id"],
        owner_id=lead["owner_id"],
        email=lead["person"]["email"],
    )
    account = rep.read("sales", f"/v1/accounts/{deal.account_id}")
    rep.change("sales", account, "", addresses=_addresses())
    for stage, name in _WAY.items():
        opportunity = rep.read("sales", f"/v1/opportunities/{deal.opportunity_id}")
        words = f"The deal moves to {name}"
        chapter.did(words, rep.change, "sales", opportunity, "move", stage=stage)
    return deal


def known_deal(cast: Cast, chapter: Chapter, customer: str, name: str) -> Deal:
    """A new deal with a customer whom we know already (or get to know now, once)."""
    rep = cast.role("sales_rep")
    owner_id = cast.user_with("sales_rep")
    key = f"demo-{customer.split()[0].lower()}"
    account = _find(cast.admin, "sales", "/v1/accounts", external_id=key) or cast.admin.post(
        "sales",
        "/v1/accounts",
        {"name": customer, "external_id": key, "owner_id": owner_id, "addresses": _addresses()},
    )
    body = {
        "name": name,
        "account_id": account["id"],
        "close_date": (datetime.now(UTC) + timedelta(days=30)).date().isoformat(),
    }
    opportunity = chapter.did(f"A deal with {customer}", rep.post, "sales", "/v1/opportunities", body)
    email = f"purchasing@{key}.example"
    return Deal(opportunity["id"], account["id"], None, account["owner_id"], email)


def sell(cast: Cast, chapter: Chapter, deal: Deal) -> None:
    """From the quote to the order."""
    accept_offer(cast, chapter, deal, send_offer(cast, chapter, deal))
    find_order(cast, chapter, deal)


def send_offer(cast: Cast, chapter: Chapter, deal: Deal) -> str:
    """A quote is drafted, approved and sent. The signed link that the customer gets."""
    rep = cast.user(deal.owner_id)
    body = {
        "opportunity_id": deal.opportunity_id,
        "valid_until": (datetime.now(UTC) + timedelta(days=30)).date().isoformat(),
        "term_months": 12,
        "lines": [
            {"product_id": cast.products[sku], "quantity": str(count), "discount_bp": _DISCOUNT_BP}
            for sku, count in _LINES
        ],
    }
    quote = chapter.did("A quote is drafted and priced", rep.post, "sales", "/v1/quotes", body)
    quote = rep.change("sales", quote, "submit")
    if quote["state"] == "in_approval":
        manager = cast.role("sales_manager")
        note = "A reference customer is worth the discount."
        quote = chapter.did(
            "The manager approves the discount", manager.change, "sales", quote, "approve", note=note
        )
    recipient = {"email": deal.email} | ({"contact_id": deal.contact_id} if deal.contact_id else {})
    words = f"Quote {quote['number']} over {_money(quote['net_total'])} is sent"
    quote = chapter.did(words, rep.change, "sales", quote, "send", recipients=[recipient])
    link: str = quote["recipients"][0]["link"]
    return link


def accept_offer(cast: Cast, chapter: Chapter, deal: Deal, link: str) -> None:
    """The customer reads and accepts: the deal is won and its order submitted, in one transaction."""
    door = cast.admin.open_door
    offer = chapter.did("The customer opens the signed link", door, "sales", "GET", link)
    acceptance = {
        "signer": {"name": "Clara Lindner", "email": deal.email},
        "document_sha256": offer["document_sha256"],
    }
    words = "The customer accepts: the deal is won, the order is on its way"
    chapter.did(words, door, "sales", "POST", f"{link}/accept", acceptance)


def find_order(cast: Cast, chapter: Chapter, deal: Deal) -> None:
    """Note the order that the acceptance made, and follow its chain. Raises LocalProblem when it left its lead's."""
    deal.order_id = _only(cast.admin, "sales", "/v1/orders", opportunity_id=deal.opportunity_id)["id"]
    order = cast.admin.read("sales", f"/v1/orders/{deal.order_id}")
    if chapter.chain is None:
        chapter.follow(cast.chain(order["root_correlation_id"]))
    elif chapter.chain.correlation_id != order["root_correlation_id"]:
        raise LocalProblem(f"The order hangs on the chain {order['root_correlation_id']}, not on its lead's.")


def install(cast: Cast, chapter: Chapter, deal: Deal) -> str:
    """A visit is planned for the machine and a technician carries it out. The state of the work order."""
    admin = cast.admin
    order = chapter.until(
        "The work order, free of holds,",
        lambda: _find(admin, "fieldservice", "/v1/work-orders", order_id=deal.order_id),
        lambda found: found is not None and not found["holds"],
        seconds=60.0,
    )
    assert order is not None
    path = f"/v1/work-orders/{order['id']}"
    visit, technician = _plan_visit(cast, chapter, order)
    visit = chapter.did("The technician is there", technician.change, "fieldservice", visit, "arrive")
    words = "The machine runs; the visit is completed"
    chapter.did(words, technician.change, "fieldservice", visit, "complete")
    done = chapter.until(
        "The completed work order",
        lambda: admin.read("fieldservice", path),
        lambda work_order: work_order["state"] == "completed",
    )
    return str(done["state"])


def _judge_by_hand(cast: Cast, chapter: Chapter, path: str) -> None:
    """Several leads from one address look like a robot: a person looks and says that this one is genuine."""
    marketer = cast.role("marketer")
    lead = marketer.read("marketing", path)
    words = "Many leads came from this address, so it may be a robot; a marketer calls: it is not"
    verdict = {"value": "genuine", "reason": "Spoke to her on the phone."}
    chapter.did(words, marketer.change, "marketing", lead, "override-verdict", **verdict)


def _plan_visit(cast: Cast, chapter: Chapter, work_order: Mapping[str, Any]) -> tuple[Answer, SuiteClient]:
    """The first free hour of a technician once the goods are there."""
    dispatcher = cast.role("dispatcher")
    start = datetime.fromisoformat(work_order["earliest_at"]).replace(minute=0, second=0, microsecond=0)
    refused = LocalProblem("There is no active technician: was the suite seeded?")
    technicians = [
        technician
        for technician in cast.admin.items("fieldservice", "/v1/technicians")
        if technician["active"]
    ]
    for hours in range(1, 25):
        for technician in technicians:
            at = start + timedelta(hours=hours)
            body = {
                "work_order_id": work_order["id"],
                "start_at": at.isoformat(),
                "end_at": (at + timedelta(hours=1)).isoformat(),
                "assignees": [{"technician_id": technician["id"]}],
            }
            try:
                words = f"A visit is planned for {at:%d %B, %H:%M} UTC"
                visit = chapter.did(words, dispatcher.post, "fieldservice", "/v1/appointments", body)
            except LocalProblem as problem:
                if "technician-busy" not in str(problem):
                    raise
                refused = problem
                continue
            return visit, cast.user(technician["user_id"])
    raise refused


def _addresses() -> list[dict[str, Any]]:
    return [{**_ADDRESS, "type": kind, "is_primary": True} for kind in ("billing", "shipping")]


def _find(client: SuiteClient, service: str, path: str, **query: Any) -> dict[str, Any] | None:
    return next(iter(client.get(service, path, **query)["items"]), None)


def _only(client: SuiteClient, service: str, path: str, **query: Any) -> dict[str, Any]:
    """The one item of a list. Raises LocalProblem when there is none, or more than one."""
    items = client.get(service, path, **query)["items"]
    if len(items) != 1:
        raise LocalProblem(f"{service} holds {len(items)} of {path} for {query}, not one.")
    found: dict[str, Any] = items[0]
    return found


def _money(money: Mapping[str, str]) -> str:
    return f"{money['amount']} {money['currency']}"


def _not_seeded(what: str) -> LocalProblem:
    return LocalProblem(f"The suite has {what}: let `make run` seed it.")
