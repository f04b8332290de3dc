"""Get and find leads, and what hangs on them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, any_, bindparam, case, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import array

from services.marketing.duplicates import LIVE_STATES
from services.marketing.leads.model import BehaviourRow, DuplicateDismissal, Handover, Lead, Submission
from services.marketing.scoring import Behaviour
from shared.access.tables import PRINCIPALS, TEAMS
from shared.db.prepared import LookUp
from shared.db.repository import Repository

__all__ = ["Leads"]

MAX_CANDIDATES = 50

_OF_MAILBOX = LookUp(
    select(Lead.id)
    .where(Lead.email_key == bindparam("email_key"))
    .order_by(case((Lead.state == any_(array(LIVE_STATES)), 0), else_=1), Lead.captured_at.desc(), Lead.id)
    .limit(1)
)


class Leads(Repository[Lead]):
    """The leads of one session."""

    model = Lead

    def survivor(self, lead_id: uuid.UUID) -> Lead | None:
        """The lead, or the one that it was merged into in the end, locked."""
        found = self.find(lead_id, lock=True)
        while found is not None and found.merged_into_id is not None:
            found = self.find(found.merged_into_id, lock=True)
        return found

    def absorbed(self, lead_id: uuid.UUID) -> Sequence[Lead]:
        """The leads that were merged into one, and into those, locked."""
        found = self._locked(Lead.merged_into_id == lead_id)
        return [each for lead in found for each in (lead, *self.absorbed(lead.id))]

    def blank_submissions(self, lead_id: uuid.UUID) -> None:
        """Forget what was sent in for a lead, and from where."""
        self.session.execute(
            update(Submission)
            .where(Submission.lead_id == lead_id)
            .values(raw={}, ip=None, user_agent=None, fingerprint=b"")
        )

    def of_mailbox(self, email_key: str) -> Lead | None:
        """The lead of a mailbox, locked: a live one if there is one, else the newest. None if it was just erased."""
        found = _OF_MAILBOX(self.session, email_key=email_key)
        lead = self.get(found.id, lock=True) if found is not None else None
        return lead if lead is not None and lead.erased_at is None else None

    def submission(self, scope: str, key: str) -> Submission | None:
        """What came in under an id before."""
        return self.session.scalar(select(Submission).where(Submission.scope == scope, Submission.key == key))

    def equal_submission(self, fingerprint: bytes, since: datetime) -> Submission | None:
        """The first submission of the same values since an instant."""
        return self.session.scalar(
            select(Submission)
            .where(Submission.fingerprint == fingerprint, Submission.received_at > since)
            .order_by(Submission.received_at, Submission.id)
            .limit(1)
        )

    def first_submission(self, lead_id: uuid.UUID) -> Submission | None:
        """How a lead came in; None where it was entered by hand."""
        return self.session.scalar(
            select(Submission)
            .where(Submission.lead_id == lead_id)
            .order_by(Submission.received_at, Submission.id)
            .limit(1)
        )

    def count_submissions(self, ip: str, after: datetime, until: datetime) -> int:
        """How many came from an address in `(after, until]`."""
        counted: int = self.session.scalars(
            select(func.count())
            .select_from(Submission)
            .where(Submission.ip == ip, Submission.received_at > after, Submission.received_at <= until)
        ).one()
        return counted

    def behaviours(self, lead_id: uuid.UUID) -> list[Behaviour]:
        """What the person behind a lead did."""
        rows = self.session.execute(
            select(
                BehaviourRow.id, BehaviourRow.type, BehaviourRow.occurred_at, BehaviourRow.is_machine
            ).where(BehaviourRow.lead_id == lead_id)
        )
        return [Behaviour(*row) for row in rows]

    def has_behaviour(self, source_id: str) -> bool:
        """Whether an occasion is known already."""
        return bool(self.session.scalar(select(exists().where(BehaviourRow.source_id == source_id))))

    def move_behaviours(self, source: uuid.UUID, target: uuid.UUID) -> None:
        """Let the behaviours of one lead count for another."""
        self.session.execute(
            update(BehaviourRow).where(BehaviourRow.lead_id == source).values(lead_id=target)
        )

    def candidates(self, lead: Lead) -> Sequence[Lead]:
        """Other leads that share mailbox, number, domain or company with this one, dismissed ones left out; at most 50,
        the newest of them."""
        shared = [
            column == value
            for column, value in (
                (Lead.email_key, lead.email_key),
                (Lead.phone_e164, lead.phone_e164),
                (Lead.domain, lead.domain),
                (Lead.folded_company, lead.folded_company),
            )
            if value
        ]
        if not shared:
            return []
        d = DuplicateDismissal
        is_dismissed = exists().where(
            or_(
                (d.lead_id == lead.id) & (d.other_id == Lead.id),
                (d.other_id == lead.id) & (d.lead_id == Lead.id),
            )
        )
        # The surer signs come first, so that a crowd from one company does not hide the same mailbox.
        is_sure = case((or_(*shared[:2]), 0), else_=1)
        return self.session.scalars(
            select(Lead)
            .where(or_(*shared), Lead.id != lead.id, Lead.state != "merged", ~is_dismissed)
            .order_by(is_sure, Lead.captured_at.desc(), Lead.id)
            .limit(MAX_CANDIDATES)
        ).all()

    def dismissal(self, one: uuid.UUID, other: uuid.UUID) -> DuplicateDismissal | None:
        """What was said about two leads."""
        return self.session.get(DuplicateDismissal, (min(one, other), max(one, other)))

    def handovers(self, lead_id: uuid.UUID) -> Sequence[Handover]:
        """Who had a lead, in order."""
        return self.session.scalars(
            select(Handover).where(Handover.lead_id == lead_id).order_by(Handover.handover_no)
        ).all()

    def in_hands_of(self, owner_id: uuid.UUID) -> Sequence[Lead]:
        """The leads that somebody has to answer, locked."""
        return self._locked((Lead.owner_id == owner_id) & (Lead.state == "qualified"))

    def sales_team(self) -> uuid.UUID | None:
        """The first team of sales that has somebody active in it, by name."""
        has_somebody = exists().where(PRINCIPALS.c.active, TEAMS.c.id == any_(PRINCIPALS.c.team_ids))
        return self.session.scalar(
            select(TEAMS.c.id)
            .where(TEAMS.c.kind == "sales", has_somebody)
            .order_by(TEAMS.c.name, TEAMS.c.id)
            .limit(1)
        )

    def next_owner(self, team_id: uuid.UUID, *, after: uuid.UUID | None) -> uuid.UUID | None:
        """Whose turn it is in a team: the active member who has waited longest, never-asked first, then by id; `after`,
        who had it last, only where nobody else is there. The team is locked, so that two turns are never one."""
        self.session.execute(select(TEAMS.c.id).where(TEAMS.c.id == team_id).with_for_update())
        last = (
            select(func.max(Handover.handed_over_at))
            .where(Handover.owner_id == PRINCIPALS.c.id)
            .scalar_subquery()
        )
        query = select(PRINCIPALS.c.id).where(PRINCIPALS.c.active, any_(PRINCIPALS.c.team_ids) == team_id)
        had_it = case((PRINCIPALS.c.id == after, 1), else_=0)
        return self.session.scalar(query.order_by(had_it, last.nulls_first(), PRINCIPALS.c.id).limit(1))

    def is_active(self, user_id: uuid.UUID) -> bool:
        """Whether somebody works here."""
        p = PRINCIPALS.c
        return bool(self.session.scalar(select(exists().where(p.id == user_id, p.active))))

    def _locked(self, which: ColumnElement[bool]) -> Sequence[Lead]:
        query = select(Lead).where(which).order_by(Lead.id).with_for_update()
        return self.session.scalars(query.execution_options(populate_existing=True)).all()
