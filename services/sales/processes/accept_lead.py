"""Accept a lead: account, contact, deal and the answer to marketing become true in one transaction.

The new records continue the lead's chain, so that an order a year later still hangs on its campaign.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from services.sales.accounts import queries as account_queries
from services.sales.accounts.model import domain_of
from services.sales.accounts.repository import Accounts
from services.sales.accounts.use_cases import create_account
from services.sales.contacts import queries as contact_queries
from services.sales.contacts.repository import Contacts
from services.sales.contacts.use_cases import create_contact
from services.sales.leads.errors import ProbableDuplicate
from services.sales.leads.queries import visible_leads
from services.sales.leads.repository import Leads
from services.sales.leads.use_cases import stop_watching
from services.sales.matching import PROBABLE
from services.sales.opportunities.queries import visible_opportunities
from services.sales.opportunities.repository import Opportunities
from services.sales.processes.open_opportunity import open_opportunity
from shared.access import Principal
from shared.company import company
from shared.db.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from services.sales.accounts.model import Account
    from services.sales.contacts.model import Contact
    from services.sales.leads.model import Lead

__all__ = ["accept_lead", "find_candidates"]

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
CLOSES_WITHIN = timedelta(days=90)
"""When a deal made of a lead is expected to close, unless somebody knows better."""


def accept_lead(
    lead_id: uuid.UUID,
    command: Mapping[str, Any],
    accepted_by: uuid.UUID,
    principal: Principal,
    uow: UnitOfWork,
    *,
    expected_version: int,
) -> Lead:
    """Accept a lead as `command` says: account, contact and opportunity, each {link: id} or {create: values}; no
    opportunity accepts it without a deal.

    Raises NotFound (lead, or what is linked), Stale, AlreadyAccepted, IllegalState, ProbableDuplicate, NameNeeded and
    what opening a deal raises.
    """
    with uow:
        lead = Leads(uow.session).get(lead_id, where=visible_leads(principal, "lead.accept"))
        # Whoever comes second learns what became of the lead rather than that he is late.
        lead.require_open("accept")
        lead.check_version(expected_version)
        owner_id = lead.owner_id or accepted_by
        confirmed = command["confirm_not_duplicate"]
        account = _account(command["account"], lead, owner_id, principal, uow, confirmed=confirmed)
        contact = _contact(command["contact"], lead, account, owner_id, principal, uow, confirmed=confirmed)
        deal_id = _opportunity(command["opportunity"], lead, account, contact, owner_id, principal, uow)
        lead.accept(
            accepted_by,
            uow.clock.now(),
            account_id=account.id,
            contact_id=contact.id,
            opportunity_id=deal_id,
        )
        stop_watching(lead, uow)
        return lead


def find_candidates(lead: Lead, session: Session) -> dict[str, list[dict[str, Any]]]:
    """Accounts and contacts that may be those of a lead on offer, likeliest first."""
    if lead.state != "offered":
        return {"accounts": [], "contacts": []}
    return {
        "accounts": _similar_accounts(lead, _account_values(lead, {}), session),
        "contacts": contact_queries.find_duplicates(session, _contact_values(lead, {}), None),
    }


def _account(
    choice: Mapping[str, Any],
    lead: Lead,
    owner_id: uuid.UUID,
    principal: Principal,
    uow: UnitOfWork,
    *,
    confirmed: bool,
) -> Account:
    if "link" in choice:
        seen = account_queries.visible_accounts(principal)
        account = Accounts(uow.session).get(choice["link"], where=seen)
        account.require_live()
        return account
    values = _account_values(lead, choice["create"])
    if not confirmed:
        _refuse_probable("account", _similar_accounts(lead, values, uow.session))
    base = {"currency": company(uow.session).base_currency, "owner_id": owner_id}
    return create_account({**base, **values}, uow)


def _contact(
    choice: Mapping[str, Any],
    lead: Lead,
    account: Account,
    owner_id: uuid.UUID,
    principal: Principal,
    uow: UnitOfWork,
    *,
    confirmed: bool,
) -> Contact:
    if "link" in choice:
        seen = contact_queries.visible_contacts(principal)
        contact = Contacts(uow.session).get(choice["link"], where=seen)
        contact.require_live()
        return contact
    values = _contact_values(lead, choice["create"])
    if not confirmed:
        _refuse_probable("contact", contact_queries.find_duplicates(uow.session, values, account.id))
    return create_contact({**values, "account_id": account.id, "owner_id": owner_id}, uow)


def _opportunity(
    choice: Mapping[str, Any] | None,
    lead: Lead,
    account: Account,
    contact: Contact,
    owner_id: uuid.UUID,
    principal: Principal,
    uow: UnitOfWork,
) -> uuid.UUID | None:
    if choice is None:
        return None
    if "link" in choice:
        seen = visible_opportunities(principal)
        return Opportunities(uow.session).get(choice["link"], where=seen).id
    today = company(uow.session).today(uow.clock.now())
    values = {
        "close_date": today + CLOSES_WITHIN,
        **choice["create"],
        "account_id": account.id,
        "primary_contact_id": contact.id,
        "owner_id": owner_id,
        "lead_id": lead.id,
        "campaign_id": lead.campaign_id,
    }
    return open_opportunity(values, uow).id


def _similar_accounts(lead: Lead, values: Mapping[str, Any], session: Session) -> list[dict[str, Any]]:
    place = {name: lead.company[name] for name in ("country", "postal_code")}
    return account_queries.find_duplicates(session, {**values, "addresses": [place]})


def _refuse_probable(noun: str, candidates: Sequence[Mapping[str, Any]]) -> None:
    probable = [candidate for candidate in candidates if candidate["score"] >= PROBABLE]
    if probable:
        raise ProbableDuplicate(
            f"Link one of these, or confirm that the {noun} is another one.",
            record=noun,
            candidates=[
                {"id": str(c["id"]), "name": c["name"], "score": format(c["score"], "f")} for c in probable
            ],
        )


def _account_values(lead: Lead, given: Mapping[str, Any]) -> dict[str, Any]:
    """A new account's fields: what is given, else what the lead says. A person without a company is its own."""
    company_of_lead = lead.company
    person = " ".join(filter(None, (lead.person["given_name"], lead.person["family_name"])))
    told = {
        "name": company_of_lead["name"] or company_of_lead["domain"] or person or lead.person["email"],
        "website": domain_of(company_of_lead["domain"]),
        "industry": company_of_lead["industry"],
        "employee_count": company_of_lead["employee_count"],
    }
    return {**told, **given}


def _contact_values(lead: Lead, given: Mapping[str, Any]) -> dict[str, Any]:
    """A new contact's fields: what is given, else what the lead says."""
    told = {**lead.person, **given}
    email, phone = told.pop("email"), told.pop("phone")
    if phone is not None and not _E164.fullmatch(phone):
        phone = None  # marketing keeps what is no number as it was typed
    told["emails"] = [{"address": email, "is_primary": True}] if email else []
    told["phones"] = [{"number": phone, "is_primary": True}] if phone else []
    return told
