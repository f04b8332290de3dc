"""What people decide about a lead by itself. Capturing, scoring and handing over need forms, scoring models and sales:
`processes/`."""

from __future__ import annotations

import uuid

from sqlalchemy import ColumnElement

from services.marketing.leads.errors import MergeImpossible
from services.marketing.leads.model import DuplicateDismissal, Lead, Moment
from services.marketing.leads.repository import Leads
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import current_cause

__all__ = [
    "COOLING",
    "SILENCE",
    "dismiss_duplicate",
    "disqualify_lead",
    "erase_lead",
    "erase_person_of",
    "moment_now",
    "stop_timers",
]

SILENCE = "lead_silence"
"""Timer: sales has not answered in time."""

COOLING = "lead_cooling"
"""Timer: the score falls below a threshold."""


def moment_now(uow: UnitOfWork, origin: str = "user") -> Moment:
    """This instant, and who acts."""
    return Moment(uow.clock.now(), current_cause().actor_id, origin)


def disqualify_lead(
    lead_id: uuid.UUID, reason: str, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Lead:
    """Rule a lead out. Raises NotFound, Stale, IllegalState."""
    with uow:
        lead = Leads(uow.session).get(lead_id, expected_version=expected_version, where=where)
        lead.disqualify(reason, moment_now(uow))
        stop_timers(lead, uow)
        return lead


def erase_lead(
    lead_id: uuid.UUID, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Lead:
    """Forget a person, for good: the lead and those merged into it. Raises NotFound, Stale, IllegalState."""
    with uow:
        lead = Leads(uow.session).get(lead_id, expected_version=expected_version, where=where)
        lead.require_own_erasure()
        _erase(lead, uow)
        return lead


def erase_person_of(lead_id: uuid.UUID, uow: UnitOfWork) -> None:
    """A customer who came from this lead is to be forgotten; one that is not here, after a restore, needs nothing."""
    lead = Leads(uow.session).survivor(lead_id)
    if lead is not None:
        _erase(lead, uow)


def _erase(lead: Lead, uow: UnitOfWork) -> None:
    leads, moment = Leads(uow.session), moment_now(uow)
    for each in (lead, *leads.absorbed(lead.id)):
        each.erase(moment)
        leads.blank_submissions(each.id)
        stop_timers(each, uow)


def stop_timers(lead: Lead, uow: UnitOfWork) -> None:
    """Nothing is due about a lead any more."""
    for kind in (SILENCE, COOLING):
        uow.timers.cancel("lead", lead.id, kind)


def dismiss_duplicate(
    lead_id: uuid.UUID, other_id: uuid.UUID, uow: UnitOfWork, *, where: ColumnElement[bool]
) -> Lead:
    """Two leads are not the same person, whatever they share; said twice changes nothing.

    Raises NotFound, MergeImpossible.
    """
    with uow:
        leads = Leads(uow.session)
        lead, other = leads.get(lead_id, where=where), leads.get(other_id, where=where)
        if lead is other:
            raise MergeImpossible("A lead is always the same person as itself.")
        if leads.dismissal(lead.id, other.id) is None:
            first, second = sorted((lead.id, other.id))
            moment = moment_now(uow)
            uow.session.add(
                DuplicateDismissal(lead_id=first, other_id=second, actor_id=moment.actor_id, at=moment.at)
            )
        return lead
