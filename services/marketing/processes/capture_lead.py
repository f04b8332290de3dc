"""Capturing: from any door a person becomes one lead, once, and is judged by a worker right after."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement

from services.marketing.addresses import email_key
from services.marketing.duplicates import LIVE_STATES
from services.marketing.forms.model import Form
from services.marketing.forms.repository import Forms
from services.marketing.leads.errors import DuplicateLead, SubmissionDiffers, TimeOutOfRange
from services.marketing.leads.model import BehaviourRow, Lead, Moment, Submission
from services.marketing.leads.repository import Leads
from services.marketing.leads.use_cases import moment_now
from services.marketing.processes.score_lead import rescore
from shared.db.locks import hold
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.ids import new_id

__all__ = ["JUDGE", "Arrival", "Captured", "capture_lead", "note_behaviour", "submit_form"]

JUDGE = "judge_lead"
"""Outside command: look whether the lead is genuine."""

EQUAL_WITHIN = timedelta(minutes=10)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Arrival:
    """How something came in. `scope` and `key` name it for ever; without a key equal values count as one for 10 minutes
    where `is_form`. `fill_seconds`: from showing the form to sending it, None when unknown."""

    scope: str
    key: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    ip: str | None = None
    user_agent: str | None = None
    is_form: bool = False
    is_honeypot_filled: bool = False
    fill_seconds: float | None = None
    min_fill_seconds: float = 0.0

    @property
    def is_suspicious(self) -> bool:
        """Whether a robot may have sent it: such a thing never touches a lead that is there already."""
        is_fast = self.fill_seconds is not None and self.fill_seconds < self.min_fill_seconds
        return self.is_honeypot_filled or is_fast


@dataclass(frozen=True, slots=True)
class Captured:
    """`outcome`: created, repeated (the same sending again) or linked (a person who is a lead already)."""

    lead: Lead
    outcome: Literal["created", "repeated", "linked"]


def capture_lead(
    values: Mapping[str, Any],
    arrival: Arrival,
    uow: UnitOfWork,
    *,
    behaviour_type: str = "form",
    duplicate_policy: str = "link",
    occurred_at: datetime | None = None,
) -> Captured:
    """Take in a lead. `values`: fields by name, with `source`; `occurred_at`: when it came, for imported history.

    Raises SubmissionDiffers, DuplicateLead, TimeOutOfRange.
    """
    with uow:
        leads = Leads(uow.session)
        moment = moment_now(uow, "import" if values["source"] == "import" else "user")
        captured_at = _checked(occurred_at, "/captured_at", moment.at)
        fingerprint = _fingerprint(arrival.scope, values)
        known = _known_submission(leads, arrival, fingerprint, moment.at)
        if known is not None:
            return Captured(leads.get(known.lead_id), "repeated")
        mailbox = email_key(values.get("email"))
        twin = _of_mailbox(leads, mailbox)
        if twin is not None and twin.state in LIVE_STATES and not arrival.is_suspicious:
            if duplicate_policy == "reject":
                raise DuplicateLead("Work with the lead that is there.", lead_id=str(twin.id))
            if duplicate_policy == "link":
                _keep_arrival(uow, arrival, fingerprint, twin, behaviour_type, captured_at, moment)
                twin.came_again(moment)
                rescore(twin, uow)
                return Captured(twin, "linked")
        lead = leads.add(
            Lead.capture(
                {"utm": {}, **values, "submission_id": arrival.key, "captured_at": captured_at},
                moment,
                person_id=twin.person_id if twin is not None else None,
            )
        )
        _keep_arrival(uow, arrival, fingerprint, lead, behaviour_type, captured_at, moment)
        uow.commands.add(JUDGE, str(lead.id), {"lead_id": str(lead.id)})
        return Captured(lead, "created")


def submit_form(
    form_id: uuid.UUID,
    sent: Mapping[str, str],
    uow: UnitOfWork,
    *,
    submission_id: str | None,
    utm: Mapping[str, str],
    fill_seconds: float | None,
    limits: Mapping[str, int],
    ip: str | None,
    user_agent: str | None,
) -> tuple[Captured, list[str]]:
    """Take in what a stranger's browser sent: the lead, and the names of fields that the form does not know.

    `limits`: how many characters of each lead field are kept. Raises NotFound, SubmissionDiffers, DuplicateLead.
    """
    with uow:
        form = Forms(uow.session).open(form_id)
        texts, ignored = form.read(sent)
        arrival = Arrival(
            scope=f"form:{form.id}",
            key=submission_id,
            raw=dict(sent),
            ip=ip,
            user_agent=user_agent,
            is_form=True,
            is_honeypot_filled=bool(sent.get(form.honeypot)),
            fill_seconds=fill_seconds,
            min_fill_seconds=form.min_fill_seconds,
        )
        captured = capture_lead(
            {**_typed(texts, limits), **_of_form(form), "utm": dict(utm)},
            arrival,
            uow,
            behaviour_type=form.behaviour_type,
            duplicate_policy=form.duplicate_policy,
        )
        return captured, ignored


def note_behaviour(
    lead_id: uuid.UUID,
    behaviour_type: str,
    source_id: str,
    occurred_at: datetime | None,
    uow: UnitOfWork,
    *,
    where: ColumnElement[bool],
) -> Lead:
    """The person did something; the same `source_id` again changes nothing. Raises NotFound, TimeOutOfRange."""
    with uow:
        leads = Leads(uow.session)
        lead = leads.get(lead_id, where=where, lock=True)
        moment = moment_now(uow)
        at = _checked(occurred_at, "/occurred_at", moment.at)
        if not leads.has_behaviour(source_id):
            uow.session.add(_behaviour(lead, behaviour_type, at, source_id))
            lead.came_again(moment)
            rescore(lead, uow)
        return lead


def _checked(at: datetime | None, pointer: str, now: datetime) -> datetime:
    """`at`, by default now. Raises TimeOutOfRange."""
    if at is not None and not EARLIEST <= at <= now + AHEAD:
        raise TimeOutOfRange.field(pointer, "A time from the year 2000 to 5 minutes from now is expected.")
    return at or now


def _known_submission(leads: Leads, arrival: Arrival, fingerprint: bytes, now: datetime) -> Submission | None:
    if arrival.key is not None:
        hold(leads.session, f"{arrival.scope} {arrival.key}")
        known = leads.submission(arrival.scope, arrival.key)
        if known is not None and known.fingerprint != fingerprint:
            raise SubmissionDiffers.field(
                "/submission_id", f"{arrival.key} was sent with other values. Use a new id."
            )
        return known
    if arrival.is_form:
        hold(leads.session, fingerprint.hex())
        return leads.equal_submission(fingerprint, now - EQUAL_WITHIN)
    return None


def _of_mailbox(leads: Leads, mailbox: str | None) -> Lead | None:
    if mailbox is None:
        return None
    hold(leads.session, f"mailbox {mailbox}")
    # Locked: a worker may be judging it at this moment, or somebody erasing it.
    return leads.of_mailbox(mailbox)


def _keep_arrival(
    uow: UnitOfWork,
    arrival: Arrival,
    fingerprint: bytes,
    lead: Lead,
    behaviour_type: str,
    occurred_at: datetime,
    moment: Moment,
) -> None:
    # The rows refer to the lead, which nothing tells the session: the lead goes first.
    uow.flush()
    occasion = new_id()
    if arrival.is_form or arrival.key is not None:
        uow.session.add(
            Submission(
                id=occasion,
                scope=arrival.scope,
                key=arrival.key,
                fingerprint=fingerprint,
                lead_id=lead.id,
                received_at=moment.at,
                raw=dict(arrival.raw),
                ip=arrival.ip,
                user_agent=arrival.user_agent,
                is_honeypot_filled=arrival.is_honeypot_filled,
                fill_seconds=arrival.fill_seconds,
                min_fill_seconds=arrival.min_fill_seconds,
            )
        )
    uow.session.add(_behaviour(lead, behaviour_type, occurred_at, f"submission:{occasion}"))


def _behaviour(lead: Lead, behaviour_type: str, occurred_at: datetime, source_id: str) -> BehaviourRow:
    return BehaviourRow(
        lead_id=lead.id,
        captured_lead_id=lead.id,
        person_id=lead.person_id,
        type=behaviour_type,
        occurred_at=occurred_at,
        source_id=source_id,
        campaign_id=lead.campaign_id,
    )


def _fingerprint(scope: str, values: Mapping[str, Any]) -> bytes:
    known = {name: value for name, value in values.items() if value not in (None, "", {})}
    return hashlib.sha256(f"{scope} {json.dumps(known, sort_keys=True, default=str)}".encode()).digest()


def _typed(texts: Mapping[str, str], limits: Mapping[str, int]) -> dict[str, Any]:
    """What a stranger typed, as a lead keeps it: cut to size, and left out where it cannot be what it should be."""
    values: dict[str, Any] = {name: text[: limits[name]] for name, text in texts.items()}
    employees = values.pop("employee_count", "")
    if employees.isascii() and employees.isdigit():
        values["employee_count"] = int(employees)
    country = values.pop("country", "").upper()
    if len(country) == 2 and country.isascii() and country.isalpha():
        values["country"] = country
    return values


def _of_form(form: Form) -> dict[str, Any]:
    return {
        "source": "web_form",
        "form_id": form.id,
        "campaign_id": form.campaign_id,
        "owner_team_id": form.owner_team_id,
        "consent_text_version": form.consent_text_version,
    }
