"""The handover to sales: whose turn it is, until when he answers, and what his answer, or his silence, does."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from services.marketing.leads.errors import LeadUnknown, OwnerNotActive
from services.marketing.leads.model import Handover, Lead, Moment
from services.marketing.leads.queries import has_certain_double, last_positive_sign
from services.marketing.leads.repository import Leads
from services.marketing.leads.use_cases import SILENCE, moment_now, stop_timers
from services.marketing.scoring_models.model import ScoringModel
from services.marketing.scoring_models.repository import ScoringModels
from services.marketing.working_hours import add_working_time
from shared.company import company
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.timers import Timer

__all__ = [
    "assign_lead",
    "convert_lead",
    "end_silence",
    "pass_on_leads_of",
    "qualify_lead",
    "qualify_when_hot",
    "take_back_lead",
]

NO_RESPONSE = "no_response"
OWNER_LEFT = "owner_left"


def qualify_when_hot(lead: Lead, model: ScoringModel, uow: UnitOfWork) -> None:
    """Hand a hot lead over by itself, where nothing stands against it."""
    if "qualify" not in lead.allowed:
        return
    moment = moment_now(uow)
    if not _obstacles(lead, model, moment, uow):
        handover = _turn(lead, model, moment, uow)
        lead.qualify(handover, "machine", None, moment, [])
        _watch(handover, uow)


def qualify_lead(
    lead_id: uuid.UUID,
    command: Mapping[str, Any],
    by: str,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Lead:
    """Hand a lead over by hand, to `owner_id` or to whose turn it is in `team_id`.

    Raises NotFound, Stale, IllegalState, NotQualifiable, OwnerNotActive.
    """
    with uow:
        lead = Leads(uow.session).get(lead_id, expected_version=expected_version, where=where)
        model = ScoringModels(uow.session).active()
        moment = moment_now(uow)
        handover = _asked_for(lead, command, model, moment, uow)
        obstacles = _obstacles(lead, model, moment, uow)
        lead.qualify(handover, by, command["reason"], moment, obstacles)
        _watch(handover, uow)
        return lead


def assign_lead(
    lead_id: uuid.UUID,
    command: Mapping[str, Any],
    by: str,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Lead:
    """Hand a qualified lead to somebody else. Raises NotFound, Stale, IllegalState, OwnerNotActive."""
    with uow:
        lead = Leads(uow.session).get(lead_id, expected_version=expected_version, where=where)
        moment = moment_now(uow)
        handover = _asked_for(lead, command, ScoringModels(uow.session).active(), moment, uow)
        lead.assign(handover, by, command["reason"], moment)
        _watch(handover, uow)
        return lead


def end_silence(timer: Timer, uow: UnitOfWork) -> None:
    """Sales has not answered in time: the next one gets the lead. Answered meanwhile, or handed over anew: nothing."""
    lead = Leads(uow.session).find(timer.owner_id, lock=True)
    if lead is None or lead.state != "qualified" or lead.handover_no != timer.payload["handover_no"]:
        return
    _pass_on(lead, NO_RESPONSE, uow)


def pass_on_leads_of(user_id: uuid.UUID, uow: UnitOfWork) -> None:
    """Somebody left: the leads that wait for his answer go to others."""
    with uow:
        for lead in Leads(uow.session).in_hands_of(user_id):
            _pass_on(lead, OWNER_LEFT, uow)


def convert_lead(
    lead_id: uuid.UUID,
    account_id: uuid.UUID,
    contact_id: uuid.UUID | None,
    opportunity_id: uuid.UUID | None,
    uow: UnitOfWork,
    *,
    origin: str,
) -> Lead:
    """Sales accepted, whichever handover it answers; for a merged lead its survivor converts. Raises LeadUnknown."""
    with uow:
        lead = Leads(uow.session).survivor(lead_id)
        if lead is None:
            raise LeadUnknown(f"There is no lead {lead_id}.")
        lead.convert(account_id, contact_id, opportunity_id, moment_now(uow, origin))
        stop_timers(lead, uow)
        return lead


def take_back_lead(
    lead_id: uuid.UUID, handover_no: int, reason: str, note: str | None, uow: UnitOfWork, *, origin: str
) -> Lead:
    """Sales returned it: it cools off. An answer that comes too late, or concerns a lead merged since, is only noted.

    Raises LeadUnknown.
    """
    with uow:
        lead = Leads(uow.session).find(lead_id, lock=True)
        if lead is None:
            raise LeadUnknown(f"There is no lead {lead_id}.")
        moment = moment_now(uow, origin)
        cool_off = ScoringModels(uow.session).active().cool_off
        if lead.take_back(handover_no, reason, note, moment.at + cool_off, moment):
            uow.timers.cancel("lead", lead.id, SILENCE)
        return lead


def _obstacles(lead: Lead, model: ScoringModel, moment: Moment, uow: UnitOfWork) -> list[str]:
    return lead.obstacles(
        moment.at,
        has_certain_double=has_certain_double(uow.session, lead),
        last_sign=last_positive_sign(uow.session, lead, model.weights),
    )


def _turn(lead: Lead, model: ScoringModel, moment: Moment, uow: UnitOfWork) -> Handover:
    """The next handover by turns: in the lead's team, else in the first team of sales."""
    leads = Leads(uow.session)
    team_id = lead.owner_team_id or leads.sales_team()
    handovers = leads.handovers(lead.id)
    after = handovers[-1].owner_id if handovers else None
    owner_id = leads.next_owner(team_id, after=after) if team_id is not None else None
    return _handover(team_id, owner_id, model, moment, uow)


def _asked_for(
    lead: Lead, command: Mapping[str, Any], model: ScoringModel, moment: Moment, uow: UnitOfWork
) -> Handover:
    """The next handover as somebody wants it."""
    leads = Leads(uow.session)
    owner_id, team_id = command["owner_id"], command["team_id"] or lead.owner_team_id or leads.sales_team()
    if owner_id is None and team_id is not None:
        owner_id = leads.next_owner(team_id, after=lead.owner_id)
    elif owner_id is not None and not leads.is_active(owner_id):
        raise OwnerNotActive.field("/owner_id", "Name somebody who works here.")
    return _handover(team_id, owner_id, model, moment, uow)


def _handover(
    team_id: uuid.UUID | None,
    owner_id: uuid.UUID | None,
    model: ScoringModel,
    moment: Moment,
    uow: UnitOfWork,
) -> Handover:
    accept_by = None
    if owner_id is not None:
        accept_by = add_working_time(moment.at, model.accept_within, company(uow.session).zone)
    return Handover(team_id=team_id, owner_id=owner_id, accept_by=accept_by)


def _pass_on(lead: Lead, reason: str, uow: UnitOfWork) -> None:
    model = ScoringModels(uow.session).active()
    moment = moment_now(uow)
    is_last = lead.handover_no >= model.max_handovers
    handover = Handover(team_id=lead.owner_team_id) if is_last else _turn(lead, model, moment, uow)
    lead.pass_on(handover, reason, moment)
    _watch(handover, uow)


def _watch(handover: Handover, uow: UnitOfWork) -> None:
    """Keep the handover, and watch its deadline instead of the one before."""
    uow.session.add(handover)
    if handover.accept_by is None:
        uow.timers.cancel("lead", handover.lead_id, SILENCE)
    else:
        payload = {"handover_no": handover.handover_no}
        uow.timers.set("lead", handover.lead_id, SILENCE, handover.accept_by, payload)
