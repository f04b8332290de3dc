"""The lead aggregate, and the rows that hang on it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self

from sqlalchemy import CHAR
from sqlalchemy.orm import Mapped, mapped_column

from services.marketing.addresses import company_domain, email_key, fold, fold_company, phone_e164
from services.marketing.database import Base
from services.marketing.duplicates import Identity
from services.marketing.genuineness import Finding
from services.marketing.leads.errors import NotQualifiable
from services.marketing.leads.events import (
    LeadCaptured,
    LeadConverted,
    LeadDisqualified,
    LeadErased,
    LeadJudged,
    LeadMerged,
    LeadQualified,
    LeadRecycled,
    LeadScored,
)
from services.marketing.leads.rules import (
    ALLOWED,
    BY_VERDICT,
    FILLED_BY_MERGE,
    JUDGED,
    PERSONAL,
    TOLD_STEP,
    unseen,
)
from services.marketing.scoring import Contribution, Fit, decayed, rounded
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState
from shared.kernel.events import to_data
from shared.kernel.ids import new_id

__all__ = [
    "BehaviourRow",
    "DuplicateDismissal",
    "Handover",
    "Lead",
    "Moment",
    "Scored",
    "Submission",
]


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happens and who does it. `origin`: user or import."""

    at: datetime
    actor_id: str
    origin: str = "user"


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scoring model makes of a lead at an instant."""

    model_id: uuid.UUID
    half_life_seconds: int
    score: float
    contributions: Sequence[Contribution]
    fit: Fit
    temperature: str


class Lead(AggregateRoot, Base):
    """Somebody who showed interest. States: new, open, held, rejected, qualified, recycled, converted, disqualified,
    merged.

    `origin` is import until the person does something while we watch. `verdict`: {value, points, reasons, unchecked,
    judged_at, judged_by}; a person's word stands in `verdict`, the machine's own stays in `machine_verdict`.
    `explanation` tells what the score at `score_ref_at` was made of. `log` is kept for ever: {at, verb, state,
    actor_id, detail}; `attention`: {code, since, detail}.
    """

    __tablename__ = "leads"
    AGGREGATE = "lead"

    state: Mapped[str]
    origin: Mapped[str]
    source: Mapped[str]
    person_id: Mapped[uuid.UUID]
    form_id: Mapped[uuid.UUID | None]
    submission_id: Mapped[str | None]
    campaign_id: Mapped[uuid.UUID | None]
    given_name: Mapped[str | None]
    family_name: Mapped[str | None]
    folded_name: Mapped[str]
    email: Mapped[str | None]
    email_key: Mapped[str | None]
    phone: Mapped[str | None]
    phone_e164: Mapped[str | None]
    title: Mapped[str | None]
    language: Mapped[str | None]
    time_zone: Mapped[str | None]
    company_name: Mapped[str | None]
    folded_company: Mapped[str]
    domain: Mapped[str | None]
    industry: Mapped[str | None]
    employee_count: Mapped[int | None]
    country: Mapped[str | None] = mapped_column(CHAR(2))
    region: Mapped[str | None]
    postal_code: Mapped[str | None]
    product_group: Mapped[str | None]
    interest: Mapped[str | None]
    utm: Mapped[dict[str, Any]]
    consent_text_version: Mapped[str | None]
    captured_at: Mapped[datetime]
    verdict: Mapped[dict[str, Any] | None]
    machine_verdict: Mapped[dict[str, Any] | None]
    scoring_model_id: Mapped[uuid.UUID | None]
    half_life_seconds: Mapped[int | None]
    score_ref: Mapped[float | None]
    score_ref_at: Mapped[datetime | None]
    score_told: Mapped[float | None]
    fit: Mapped[int | None]
    fit_coverage: Mapped[float | None]
    grade: Mapped[str | None]
    temperature: Mapped[str | None]
    explanation: Mapped[dict[str, Any] | None]
    owner_team_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID | None]
    handover_no: Mapped[int]
    accept_by: Mapped[datetime | None]
    recycle_count: Mapped[int]
    recycle_reason: Mapped[str | None]
    recycled_at: Mapped[datetime | None]
    cool_off_until: Mapped[datetime | None]
    disqualify_reason: Mapped[str | None]
    account_id: Mapped[uuid.UUID | None]
    contact_id: Mapped[uuid.UUID | None]
    opportunity_id: Mapped[uuid.UUID | None]
    merged_into_id: Mapped[uuid.UUID | None]
    erased_at: Mapped[datetime | None]
    attention: Mapped[list[dict[str, Any]]]
    log: Mapped[list[dict[str, Any]]]

    @classmethod
    def capture(cls, values: Mapping[str, Any], moment: Moment, *, person_id: uuid.UUID | None) -> Self:
        """A new lead with `values` (fields by name). `person_id`: of the person, where known."""
        lead = cls(
            **values, state="new", origin=moment.origin, person_id=person_id or new_id(), attention=[], log=[]
        )
        lead.handover_no = lead.recycle_count = 0
        lead._normalise()
        lead._note("capture", moment)
        utm = {name: lead.utm.get(name) for name in ("source", "medium", "campaign", "term", "content")}
        lead.record(
            LeadCaptured(
                **lead._state(moment),
                submission_id=lead.submission_id,
                utm=utm,
                consent_text_version=lead.consent_text_version,
            )
        )
        return lead

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return [] if self.erased_at else ALLOWED.get(self.state, [])

    @property
    def is_genuine(self) -> bool:
        """Whether the verdict in force says so."""
        return self.verdict is not None and self.verdict["value"] == "genuine"

    @property
    def identity(self) -> Identity:
        """What tells this person from another."""
        return Identity(
            self.email_key, self.phone_e164, self.folded_name, self.domain or None, self.folded_company
        )

    def score_at(self, at: datetime) -> float | None:
        """The score, faded to the instant `at`; None before the first one."""
        if self.score_ref is None or self.score_ref_at is None or self.half_life_seconds is None:
            return None
        return decayed(self.score_ref, self.score_ref_at, at, self.half_life_seconds)

    def came_again(self, moment: Moment) -> None:
        """The person did something more. An imported lead becomes a living one by it."""
        if moment.origin == "user":
            self.origin = "user"

    def judge(self, finding: Finding, moment: Moment) -> bool:
        """Take the machine's verdict; False where the lead is past judging. A person's own verdict stays in force."""
        if self.state not in JUDGED:
            return False
        found: dict[str, Any] = to_data(asdict(finding))
        self.machine_verdict = {**found, **_signed(moment, "machine")}
        if self.verdict is None or self.verdict["judged_by"] == "machine":
            self._decide(self.machine_verdict, moment, "judge")
        return True

    def override_verdict(self, value: str, reason: str, user_id: str, moment: Moment) -> None:
        """A person knows better. Raises IllegalState."""
        self._require("override_verdict")
        said = {"code": "override", "points": 0, "detail": reason, "seen": None}
        verdict = {"value": value, "points": 0, "reasons": [said], "unchecked": []}
        self._decide({**verdict, **_signed(moment, user_id)}, moment, "override_verdict")

    def rate(self, scored: Scored, moment: Moment) -> None:
        """Take a new score; a fact follows only where temperature or grade changed or the score moved noticeably."""
        before = (self.temperature, self.grade)
        self.scoring_model_id, self.half_life_seconds = scored.model_id, scored.half_life_seconds
        self.score_ref, self.score_ref_at = scored.score, moment.at
        self.fit, self.fit_coverage, self.grade = scored.fit.points, scored.fit.coverage, scored.fit.grade
        self.temperature = scored.temperature
        self.explanation = {
            "behaviours": [to_data(_shown(each)) for each in scored.contributions],
            "criteria": list(scored.fit.matched),
        }
        moved = self.score_told is None or abs(scored.score - self.score_told) >= TOLD_STEP
        if moved or before != (self.temperature, self.grade):
            self.score_told = scored.score
            self.record(
                LeadScored(
                    **self._state(moment),
                    scoring_model_id=scored.model_id,
                    score_ref=rounded(scored.score),
                    score_ref_at=moment.at,
                    half_life_seconds=scored.half_life_seconds,
                    fit=scored.fit.points,
                    scored_at=moment.at,
                )
            )

    def obstacles(self, now: datetime, *, has_certain_double: bool, last_sign: datetime | None) -> list[str]:
        """Why the lead must not go to sales now; empty where it may. `last_sign`: the latest positive behaviour."""
        is_recycled = self.state == "recycled"
        is_silent = is_recycled and not (last_sign and self.recycled_at and last_sign > self.recycled_at)
        found = {
            "imported": self.origin == "import",
            "not_genuine": not self.is_genuine,
            "certain_duplicate": has_certain_double,
            "cooling_off": self.cool_off_until is not None and now < self.cool_off_until,
            "no_new_behaviour": is_silent,
        }
        return [name for name, is_so in found.items() if is_so]

    def qualify(
        self, handover: Handover, by: str, reason: str | None, moment: Moment, obstacles: list[str]
    ) -> None:
        """Hand the lead to sales. Raises IllegalState, NotQualifiable."""
        self._require("qualify")
        if obstacles:
            raise NotQualifiable(
                f"Before it goes to sales, settle: {', '.join(obstacles)}.",
                state=self.state,
                reasons=obstacles,
            )
        self._hand_over("qualify", handover, by, reason, moment)

    def assign(self, handover: Handover, by: str, reason: str | None, moment: Moment) -> None:
        """Hand a qualified lead to somebody else in sales. Raises IllegalState."""
        self._require("assign")
        self._hand_over("assign", handover, by, reason, moment)

    def convert(
        self,
        account_id: uuid.UUID,
        contact_id: uuid.UUID | None,
        opportunity_id: uuid.UUID | None,
        moment: Moment,
    ) -> None:
        """Sales made a customer of it: for good, whichever handover it answers. The same answer again changes nothing,
        a different one asks for attention."""
        ids = (account_id, contact_id, opportunity_id)
        if self.state == "converted":
            if ids != (self.account_id, self.contact_id, self.opportunity_id):
                self._flag("accepted_twice", f"Sales accepted again with the account {account_id}.", moment)
            return
        self.state, self.accept_by, self.cool_off_until = "converted", None, None
        self.account_id, self.contact_id, self.opportunity_id = ids
        self._unflag("unowned")
        if self.erased_at is not None:
            self._flag(
                "contact_of_erased", f"Sales made the contact {contact_id} of it: erase that too.", moment
            )
        self._note("convert", moment)
        self.record(
            LeadConverted(
                **self._state(moment),
                account_id=account_id,
                contact_id=contact_id,
                opportunity_id=opportunity_id,
                converted_at=moment.at,
            )
        )

    def take_back(
        self, handover_no: int, reason: str, note: str | None, cool_off_until: datetime, moment: Moment
    ) -> bool:
        """Sales returned it. False, and only a line in the log, where the answer comes too late: the lead is with
        somebody else by now, or settled."""
        if self.state != "qualified" or handover_no != self.handover_no:
            self._note("late_return", moment, f"handover {handover_no}: {reason}")
            return False
        self.recycle(reason, cool_off_until, moment, note)
        if reason == "not_genuine":
            said = {"code": "returned", "points": 0, "detail": "Sales found it not genuine.", "seen": note}
            verdict = {"value": "suspect", "points": 0, "reasons": [said], "unchecked": []}
            self._decide({**verdict, **_signed(moment, "sales")}, moment, "judge")
        return True

    def recycle(
        self, reason: str, cool_off_until: datetime | None, moment: Moment, note: str | None = None
    ) -> None:
        """Take it out of the hands of sales. Raises IllegalState."""
        if self.state != "qualified":
            raise self._refusal("recycle")
        self.state, self.recycle_reason, self.recycled_at = "recycled", reason, moment.at
        self.recycle_count += 1
        self.cool_off_until, self.accept_by, self.owner_id = cool_off_until, None, None
        self._note("recycle", moment, f"{reason}: {note}" if note else reason)
        self.record(
            LeadRecycled(
                **self._state(moment),
                reason=reason,
                recycled_at=moment.at,
                cool_off_until=cool_off_until,
                recycle_count=self.recycle_count,
            )
        )

    def pass_on(self, handover: Handover, reason: str, moment: Moment) -> None:
        """Its owner did not answer or left: out of his hands and into the next. Raises IllegalState."""
        self.recycle(reason, None, moment)
        self._hand_over("assign", handover, "machine", reason, moment)

    def disqualify(self, reason: str, moment: Moment) -> None:
        """Rule it out. Raises IllegalState."""
        self._require("disqualify")
        self.state, self.disqualify_reason, self.accept_by = "disqualified", reason, None
        self._note("disqualify", moment, reason)
        self.record(LeadDisqualified(**self._state(moment), reason=reason, disqualified_at=moment.at))

    def reopen(self, reason: str, moment: Moment) -> None:
        """Take it up again, as its verdict says. Raises IllegalState."""
        self._require("reopen")
        self.disqualify_reason = None
        self.state = "new" if self.verdict is None else BY_VERDICT[self.verdict["value"]]
        self._note("reopen", moment, reason)

    def merge_into(self, survivor: Lead, moment: Moment) -> None:
        """Let `survivor` go on for both: it gets what it lacks. Raises IllegalState."""
        self._require("merge")
        if self.state == "qualified":
            self.recycle("duplicate", None, moment)
        for name in FILLED_BY_MERGE:
            if getattr(survivor, name) in (None, "") and getattr(self, name) is not None:
                setattr(survivor, name, getattr(self, name))
        survivor._normalise()
        if self.origin == "user":
            survivor.origin = "user"
        survivor._note("absorb", moment, str(self.id))
        self.state, self.merged_into_id = "merged", survivor.id
        self._note("merge", moment, str(survivor.id))
        self.record(LeadMerged(**self._state(moment), survivor_id=survivor.id, merged_at=moment.at))

    def erase(self, moment: Moment) -> None:
        """Blank what says who this is, for good; what is still open is ruled out. Told again where it was told
        before: a service that was restored from an older backup must be able to hear it."""
        for name in PERSONAL:
            setattr(self, name, None)
        self._normalise()
        self.verdict = unseen(self.verdict, "reasons")
        self.machine_verdict = unseen(self.machine_verdict, "reasons")
        self.explanation = unseen(self.explanation, "criteria")
        self.log = [{**entry, "detail": None} for entry in self.log]
        self.attention = []
        if "disqualify" in self.allowed:
            self.disqualify("erased", moment)
        self.erased_at = moment.at
        self._note("erase", moment)
        self.record(LeadErased(**self._state(moment), erased_at=moment.at))

    def require_own_erasure(self) -> None:
        """Raise IllegalState where erasing another record erases this one too."""
        first = self.merged_into_id or self.contact_id
        if first is not None:
            noun = "lead" if self.merged_into_id else "contact"
            said = f"Erase the {noun} {first}, and this lead goes with it."
            raise IllegalState(said, state=self.state, allowed=self.allowed)

    def flag_unjudged(self, error: str, moment: Moment) -> None:
        """The checks failed for good."""
        if self.erased_at is None:
            self._flag("not_judged", error, moment)

    def _hand_over(self, verb: str, handover: Handover, by: str, reason: str | None, moment: Moment) -> None:
        self.state, self.handover_no = "qualified", self.handover_no + 1
        handover.lead_id, handover.handover_no, handover.handed_over_at = self.id, self.handover_no, moment.at
        self.owner_team_id, self.owner_id = handover.team_id, handover.owner_id
        self.accept_by, self.cool_off_until = handover.accept_by, None
        self._unflag("unowned")
        if self.owner_id is None:
            self._flag("unowned", "Nobody in sales has it. Assign it to somebody.", moment)
        self._note(verb, moment, f"handover {self.handover_no} to {self.owner_id or 'nobody'}")
        self.record(
            LeadQualified(
                **self._state(moment),
                accept_by=self.accept_by,
                qualified_at=moment.at,
                qualified_by=by,
                reason=reason,
            )
        )

    def _decide(self, verdict: dict[str, Any], moment: Moment, verb: str) -> None:
        self.verdict = verdict
        self.state = BY_VERDICT[verdict["value"]]
        self._note(verb, moment, verdict["value"])
        self.record(LeadJudged(**self._state(moment), verdict=verdict))

    def _normalise(self) -> None:
        self.email_key = email_key(self.email)
        self.phone_e164 = phone_e164(self.phone, self.country)
        self.folded_name = fold(self.given_name, self.family_name)
        self.folded_company = fold_company(self.company_name)
        self.domain = self.domain or company_domain(self.email_key)

    def _require(self, verb: str) -> None:
        if verb not in self.allowed:
            raise self._refusal(verb)

    def _refusal(self, verb: str) -> IllegalState:
        return IllegalState(
            f"A lead that is {self.state} cannot {verb.replace('_', ' ')}.",
            state=self.state,
            allowed=self.allowed,
        )

    def _flag(self, code: str, detail: str, moment: Moment) -> None:
        self._unflag(code)
        self.attention = [
            *self.attention,
            {"code": code, "since": moment.at.isoformat(), "detail": detail},
        ]

    def _unflag(self, code: str) -> None:
        self.attention = [item for item in self.attention if item["code"] != code]

    def _note(self, verb: str, moment: Moment, detail: str | None = None) -> None:
        entry = {"at": moment.at.isoformat(), "verb": verb, "state": self.state, "actor_id": moment.actor_id}
        self.log = [*(self.log or ()), {**entry, "detail": detail}]

    def _state(self, moment: Moment) -> dict[str, Any]:
        score = self.score_at(moment.at)
        person = ("given_name", "family_name", "email", "title", "language", "time_zone")
        company = ("domain", "industry", "employee_count", "country", "region", "postal_code")
        return {
            "lead_id": self.id,
            "person_id": self.person_id,
            "state": self.state,
            "source": self.source,
            "campaign_id": self.campaign_id,
            "captured_at": self.captured_at,
            "person": {
                **{name: getattr(self, name) for name in person},
                "phone": self.phone_e164 or self.phone,
            },
            "company": {"name": self.company_name, **{name: getattr(self, name) for name in company}},
            "product_group": self.product_group,
            "interest": self.interest,
            "owner_team_id": self.owner_team_id,
            "owner_id": self.owner_id,
            "handover_no": self.handover_no,
            "score": None if score is None else _whole(score),
            "grade": self.grade,
            "temperature": self.temperature,
            "probability_bp": None,
            "origin": moment.origin,
            "effective_at": self.captured_at if moment.origin == "import" else moment.at,
        }


class BehaviourRow(Base):
    """Something the person behind a lead did; append-only. `source_id` names the occasion, so it is kept once whatever
    the door; `captured_lead_id` is the lead it came to before a merge."""

    __tablename__ = "behaviours"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    lead_id: Mapped[uuid.UUID]
    captured_lead_id: Mapped[uuid.UUID]
    person_id: Mapped[uuid.UUID]
    type: Mapped[str]
    occurred_at: Mapped[datetime]
    source_id: Mapped[str]
    campaign_id: Mapped[uuid.UUID | None]
    is_machine: Mapped[bool] = mapped_column(default=False)


class Submission(Base):
    """One sending of a form, an import's row or an API's call with an id: `(scope, key)` is kept once for ever."""

    __tablename__ = "submissions"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    scope: Mapped[str]
    key: Mapped[str | None]
    fingerprint: Mapped[bytes]
    lead_id: Mapped[uuid.UUID]
    received_at: Mapped[datetime]
    raw: Mapped[dict[str, Any]]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    is_honeypot_filled: Mapped[bool] = mapped_column(default=False)
    fill_seconds: Mapped[float | None]
    min_fill_seconds: Mapped[float] = mapped_column(default=0.0)


class Handover(Base):
    """Who had a lead, and until when he had to answer."""

    __tablename__ = "handovers"

    lead_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    handover_no: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID | None]
    handed_over_at: Mapped[datetime]
    accept_by: Mapped[datetime | None]


class DuplicateDismissal(Base):
    """Somebody said that two leads are not the same person; the smaller id comes first."""

    __tablename__ = "duplicate_dismissals"

    lead_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    other_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    actor_id: Mapped[str]
    at: Mapped[datetime]


def _signed(moment: Moment, judge: str) -> dict[str, str]:
    return {"judged_at": str(to_data(moment.at)), "judged_by": judge}


def _shown(each: Contribution) -> dict[str, Any]:
    return {
        "type": each.type,
        "occurred_at": each.occurred_at,
        "weight": rounded(each.weight),
        "value": rounded(each.value),
    }


def _whole(score: float) -> int:
    return int(Decimal(repr(score)).quantize(Decimal(1), ROUND_HALF_UP))
