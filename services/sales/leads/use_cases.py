"""Offer, return and withdraw leads. Accepting makes customer records: `processes/accept_lead.py`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement

from services.sales.leads.model import Lead
from services.sales.leads.repository import Leads
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.timers import Timer

__all__ = [
    "REMINDER",
    "WAITING",
    "flag_waiting_lead",
    "offer_lead",
    "remind_of_lead",
    "return_lead",
    "stop_watching",
    "withdraw_lead",
]

REMINDER = "lead_reminder"
WAITING = "lead_waiting"


def offer_lead(
    lead_id: uuid.UUID, offer: Mapping[str, Any], offered_at: datetime, uow: UnitOfWork, *, watch: bool
) -> Lead:
    """Marketing hands a lead over, again, or to somebody else; `offered_at`: since when `accept_by` runs.

    `watch`: set the timers; history that is imported asks nobody to hurry.
    """
    with uow:
        leads = Leads(uow.session)
        lead = leads.find(lead_id, lock=True)
        if lead is None:
            lead = leads.add(Lead.offered(lead_id, offer))
            is_new = True
        else:
            is_new = lead.offer(offer)
        if is_new:
            stop_watching(lead, uow)
            if watch and lead.accept_by is not None:
                _watch(lead, offered_at, lead.accept_by, uow)
        return lead


def return_lead(
    lead_id: uuid.UUID,
    reason: str,
    note: str | None,
    returned_by: uuid.UUID,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Lead:
    """Give a lead back to marketing. Raises NotFound, Stale, AlreadyAccepted, IllegalState."""
    with uow:
        lead = Leads(uow.session).get(lead_id, expected_version=expected_version, where=where)
        lead.give_back(reason, note, returned_by, uow.clock.now())
        stop_watching(lead, uow)
        return lead


def withdraw_lead(lead_id: uuid.UUID, uow: UnitOfWork) -> None:
    """Marketing takes an offer back; one that never came here needs no answer."""
    with uow:
        lead = Leads(uow.session).find(lead_id, lock=True)
        if lead is not None:
            lead.withdraw()
            stop_watching(lead, uow)


def remind_of_lead(timer: Timer, uow: UnitOfWork) -> None:
    """Half of the time to accept is over."""
    _flag(timer, "The lead still waits for an answer.", uow)


def flag_waiting_lead(timer: Timer, uow: UnitOfWork) -> None:
    """The time to accept is over. Moving the lead on is marketing's doing."""
    _flag(timer, "The time to accept the lead is over.", uow)


def stop_watching(lead: Lead, uow: UnitOfWork) -> None:
    """No more reminders of this handover."""
    uow.timers.cancel("lead", lead.id, REMINDER)
    uow.timers.cancel("lead", lead.id, WAITING)


def _flag(timer: Timer, detail: str, uow: UnitOfWork) -> None:
    lead = Leads(uow.session).get(timer.owner_id, lock=True)
    if lead.handover_no == timer.payload["handover_no"]:
        lead.flag(timer.kind, detail, uow.clock.now())


def _watch(lead: Lead, offered_at: datetime, accept_by: datetime, uow: UnitOfWork) -> None:
    this = {"handover_no": lead.handover_no}
    half = offered_at + (accept_by - offered_at) / 2
    uow.timers.set("lead", lead.id, REMINDER, half, this)
    uow.timers.set("lead", lead.id, WAITING, accept_by, this)
