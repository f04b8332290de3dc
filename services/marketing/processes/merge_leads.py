"""Merging: two leads of one person become one, and what the person did counts together."""

from __future__ import annotations

import uuid

from sqlalchemy import ColumnElement

from services.marketing.duplicates import precedence
from services.marketing.leads.errors import MergeImpossible
from services.marketing.leads.model import Lead
from services.marketing.leads.repository import Leads
from services.marketing.leads.use_cases import moment_now, stop_timers
from services.marketing.processes.score_lead import rescore
from shared.db.unit_of_work import UnitOfWork

__all__ = ["merge_leads"]


def merge_leads(
    lead_id: uuid.UUID,
    other_id: uuid.UUID,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Lead:
    """Merge two leads; the one that went furthest goes on, whichever was named first. The survivor.

    Raises NotFound, Stale, IllegalState, MergeImpossible.
    """
    with uow:
        leads = Leads(uow.session)
        # In the order of ids, so that two merges of the same pair cannot wait for each other.
        found = {each: leads.get(each, where=where, lock=True) for each in sorted({lead_id, other_id})}
        found[lead_id].check_version(expected_version)
        if len(found) == 1:
            raise MergeImpossible("Name another lead.")
        if any(lead.state == "merged" for lead in found.values()):
            raise MergeImpossible("One of them is merged already. Use the lead that it went into.")
        if any(lead.erased_at is not None for lead in found.values()):
            raise MergeImpossible("One of them was erased: nobody knows any more who it was.")
        survivor, double = sorted(
            found.values(), key=lambda lead: precedence(lead.state, lead.captured_at, lead.id)
        )
        moment = moment_now(uow)
        double.merge_into(survivor, moment)
        stop_timers(double, uow)
        leads.move_behaviours(double.id, survivor.id)
        rescore(survivor, uow)
        return survivor
