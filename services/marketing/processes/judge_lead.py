"""Judging: a worker looks at what is known of a lead, outside any transaction, and its finding decides what follows."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from services.marketing.genuineness import Evidence, Finding, examine
from services.marketing.leads.model import Lead
from services.marketing.leads.repository import Leads
from services.marketing.leads.use_cases import moment_now
from services.marketing.processes.score_lead import rescore
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.commands import Command
from shared.service import Runtime

__all__ = ["JudgeLead", "override_verdict", "reopen_lead"]

VELOCITY_WINDOW = timedelta(minutes=10)


class JudgeLead:
    """The outside command `judge_lead`. Looking twice harms nobody, so a worker that died is simply replaced."""

    can_find = True

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def find(self, command: Command) -> None:
        """Nothing outside remembers a look."""

    def perform(self, command: Command) -> Finding:
        """Look at the lead. Raises NotFound."""
        with self._runtime.database.session() as session:
            return examine(_evidence(session, uuid.UUID(command.payload["lead_id"])))

    def record(self, command: Command, result: Finding, uow: UnitOfWork) -> None:
        """The verdict, and with it the first score; a hot lead goes to sales."""
        lead = Leads(uow.session).get(uuid.UUID(command.payload["lead_id"]), lock=True)
        if lead.judge(result, moment_now(uow, lead.origin)):
            rescore(lead, uow)

    def record_failure(self, command: Command, error: BaseException, uow: UnitOfWork) -> None:
        """People have to look instead."""
        lead = Leads(uow.session).find(uuid.UUID(command.payload["lead_id"]), lock=True)
        if lead is not None:
            lead.flag_unjudged(str(error), moment_now(uow, lead.origin))


def override_verdict(
    lead_id: uuid.UUID,
    value: str,
    reason: str,
    user_id: str,
    uow: UnitOfWork,
    *,
    expected_version: int,
    where: ColumnElement[bool],
) -> Lead:
    """A person judges; the machine's verdict is kept beside. Raises NotFound, Stale, IllegalState."""
    with uow:
        lead = Leads(uow.session).get(lead_id, expected_version=expected_version, where=where)
        lead.override_verdict(value, reason, user_id, moment_now(uow))
        rescore(lead, uow)
        return lead


def reopen_lead(
    lead_id: uuid.UUID, reason: str, uow: UnitOfWork, *, expected_version: int, where: ColumnElement[bool]
) -> Lead:
    """Take a disqualified lead up again, and score it as of now. Raises NotFound, Stale, IllegalState."""
    with uow:
        lead = Leads(uow.session).get(lead_id, expected_version=expected_version, where=where)
        lead.reopen(reason, moment_now(uow))
        rescore(lead, uow)
        return lead


def _evidence(session: Session, lead_id: uuid.UUID) -> Evidence:
    leads = Leads(session)
    lead = leads.get(lead_id)
    sent: dict[str, Any] = {}
    submission = leads.first_submission(lead.id)
    if submission is not None and submission.scope.startswith("form:"):
        at = submission.received_at
        count = leads.count_submissions(submission.ip, at - VELOCITY_WINDOW, at) if submission.ip else 0
        sent = {
            "is_form": True,
            "user_agent": submission.user_agent,
            "honeypot_filled": submission.is_honeypot_filled,
            "fill_seconds": submission.fill_seconds,
            "min_fill_seconds": submission.min_fill_seconds,
            "recent_submissions": count,
        }
    return Evidence(
        given_name=lead.given_name,
        family_name=lead.family_name,
        email=lead.email,
        phone=lead.phone,
        country=lead.country,
        company=lead.company_name,
        **sent,
    )
