"""The work order aggregate, and what was heard of the sales orders that work orders come from."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from sqlalchemy import Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.fieldservice.cascade import Visit, cascade
from services.fieldservice.database import Base
from services.fieldservice.work_orders.errors import NotHeld, VisitsRunning
from services.fieldservice.work_orders.events import (
    WorkOrderCancelled,
    WorkOrderCompleted,
    WorkOrderCreated,
    WorkOrderScheduled,
    WorkOrderStarted,
)
from shared.db.base import AggregateRoot
from shared.kernel.errors import IllegalState, Invalid

__all__ = ["DEFAULT_DEMAND", "OPEN_STATES", "OrderHeard", "Trigger", "WorkDone", "WorkOrder"]

OPEN_STATES = ("unscheduled", "scheduled", "in_progress")
DEFAULT_DEMAND: tuple[dict[str, Any], ...] = (
    {"duration_min": 120, "roles": [{"role": "lead", "skills": []}]},
)
"""One visit of two hours by one person, whatever their skills."""

_ALLOWED = {
    "unscheduled": ["edit", "hold", "release", "schedule", "close_out", "cancel"],
    "scheduled": ["edit", "hold", "release", "schedule", "close_out", "cancel"],
    "in_progress": ["edit", "hold", "release", "schedule", "close_out"],
    "completed": ["reopen"],
}


@dataclass(frozen=True, slots=True)
class Trigger:
    """The appointment that moves the work order on, and when that happened. `technician_ids`: the lead first."""

    appointment_id: uuid.UUID
    start_at: datetime
    end_at: datetime
    technician_ids: list[uuid.UUID]
    at: datetime


@dataclass(frozen=True, slots=True)
class WorkDone:
    """What the visits of a work order amount to so far; minutes are those of all technicians together."""

    visits: int
    labour_minutes: int
    travel_minutes: int


class WorkOrder(AggregateRoot, Base):
    """States: unscheduled, scheduled, in_progress and completed follow from its appointments (`cascade`), until it is
    closed out or cancelled by hand.

    `site`: {address, latitude, longitude, access_notes, time_zone}; coordinates are decimals as text. `demand`: the
    visits it takes, each {duration_min, roles: [{role, skills: [{skill, min_level}]}]}. `holds`: {kind, reason, since}.
    `lines`: {line_id, type, product_id, sku, description, quantity, serials, state}. `crew_ids`: the users who work on
    it. `round_no`: how often it was opened. `attention`: {code, since, detail}.
    """

    __tablename__ = "work_orders"
    AGGREGATE = "work_order"

    number: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str]
    priority: Mapped[str]
    subject: Mapped[str]
    source_kind: Mapped[str]
    source_id: Mapped[uuid.UUID | None]
    source_line_id: Mapped[uuid.UUID | None]
    account_id: Mapped[uuid.UUID]
    contact_id: Mapped[uuid.UUID | None]
    owner_id: Mapped[uuid.UUID | None]
    asset_id: Mapped[uuid.UUID | None]
    product_id: Mapped[uuid.UUID | None]
    opportunity_id: Mapped[uuid.UUID | None]
    crew_ids: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(Uuid))
    site: Mapped[dict[str, Any]]
    reported_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    due_kind: Mapped[str]
    earliest_at: Mapped[datetime | None]
    demand: Mapped[list[dict[str, Any]]]
    holds: Mapped[list[dict[str, Any]]]
    lines: Mapped[list[dict[str, Any]]]
    round_no: Mapped[int]
    needs_follow_up: Mapped[bool]
    first_time_fix: Mapped[bool | None]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    closed_out_at: Mapped[datetime | None]
    reopened_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    attention: Mapped[list[dict[str, Any]]]

    @classmethod
    def create(cls, values: Mapping[str, Any], holds: Mapping[str, str], now: datetime) -> Self:
        """A new work order. `values`: fields by name; `holds`: reasons by kind. Raises Invalid."""
        order = cls(
            **{"lines": [], "opportunity_id": None, "earliest_at": None, **values},
            state="unscheduled",
            crew_ids=[],
            holds=[
                {"kind": kind, "reason": reason, "since": now.isoformat()} for kind, reason in holds.items()
            ],
            round_no=1,
            needs_follow_up=False,
            attention=[],
        )
        order._check_dates()
        order.record(WorkOrderCreated(**order._state()))
        return order

    # -- what it is ---------------------------------------------------------------------------------------------

    @property
    def allowed(self) -> list[str]:
        """The verbs that its state allows."""
        return _ALLOWED.get(self.state, [])

    @property
    def source(self) -> dict[str, Any]:
        """What it was made for."""
        return {"kind": self.source_kind, "id": self.source_id, "line_id": self.source_line_id}

    @property
    def order_id(self) -> uuid.UUID | None:
        """The sales order it was made for."""
        return self.source_id if self.source_kind == "order_line" else None

    @property
    def case_id(self) -> uuid.UUID | None:
        """The case it was made for."""
        return self.source_id if self.source_kind == "case" else None

    @property
    def needs_geocode(self) -> bool:
        """Whether nobody knows where on the map the site is."""
        return self.site["latitude"] is None

    @property
    def is_open(self) -> bool:
        """Whether there is work left to do."""
        return self.state in OPEN_STATES

    @property
    def is_started(self) -> bool:
        """Whether work has begun, or is over already: it can no longer be called off without asking."""
        return self.started_at is not None or self.state in ("in_progress", "completed")

    @property
    def about(self) -> dict[str, Any]:
        """What an appointment keeps of its work order."""
        return {
            "work_order_number": self.number,
            "account_id": self.account_id,
            "contact_id": self.contact_id,
            "owner_id": self.owner_id,
            "order_id": self.order_id,
            "case_id": self.case_id,
            "time_zone": self.site["time_zone"],
        }

    # -- what people do -------------------------------------------------------------------------------------------

    def edit(self, changes: Mapping[str, Any]) -> None:
        """Change fields by name; a site without a zone keeps the one it had. Raises IllegalState, Invalid."""
        self.require("edit")
        zone = self.site["time_zone"]
        for name, value in changes.items():
            setattr(self, name, value)
        if "site" in changes:
            self.site = {**changes["site"], "time_zone": changes["site"]["time_zone"] or zone}
        self._check_dates()

    def hold(self, kind: str, reason: str, now: datetime) -> None:
        """Keep it from being planned; a hold that is set already gets the new reason. Raises IllegalState."""
        self.require("hold")
        since = next((hold["since"] for hold in self.holds if hold["kind"] == kind), now.isoformat())
        others = [hold for hold in self.holds if hold["kind"] != kind]
        self.holds = [*others, {"kind": kind, "reason": reason, "since": since}]

    def release(self, kind: str) -> None:
        """Take a hold off. Raises IllegalState, NotHeld."""
        self.require("release")
        if not self.drop_hold(kind):
            raise NotHeld(f"It is not on hold for: {kind}.")

    def drop_hold(self, kind: str) -> bool:
        """Take a hold off if it is set; whether it was."""
        left = [hold for hold in self.holds if hold["kind"] != kind]
        dropped = len(left) < len(self.holds)
        self.holds = left
        return dropped

    def cancel(self, code: str, text: str, running: Sequence[uuid.UUID], now: datetime) -> None:
        """Call it off; its open appointments are cancelled with it. `running`: appointments at work.

        Raises IllegalState, naming what runs.
        """
        if self.state == "in_progress":
            raise IllegalState(
                "Work has begun. Let running visits end, then close it out.",
                state=self.state,
                allowed=self.allowed,
                running_appointment_ids=[str(appointment_id) for appointment_id in running],
            )
        self.require("cancel")
        self.state, self.end_reason, self.needs_follow_up = "cancelled", text, False
        self.record(WorkOrderCancelled(**self._state(), code=code, text=text, cancelled_at=now))

    def close_out(self, reason: str, running: Sequence[uuid.UUID], done: WorkDone, now: datetime) -> None:
        """End it without a finishing visit. Raises IllegalState, VisitsRunning."""
        self.require("close_out")
        if running:
            raise VisitsRunning(
                "Somebody is at work. Let the running visits end first.",
                running_appointment_ids=[str(appointment_id) for appointment_id in running],
            )
        self.end_reason, self.closed_out_at, self.needs_follow_up = reason, now, False
        self._complete("closed_out", done, [], now)

    def reopen(self, reason: str, now: datetime) -> None:
        """It was not done after all. Raises IllegalState."""
        self.require("reopen")
        self.state, self.end_reason = "unscheduled", reason
        self.first_time_fix, self.reopened_at, self.round_no = False, now, self.round_no + 1
        self.closed_out_at = self.completed_at = None

    # -- what follows from its appointments and its sales order -----------------------------------------------------

    def settle(self, visits: Sequence[Visit], trigger: Trigger, done: WorkDone) -> None:
        """Take on the state that its appointments give it, unless it is closed out or cancelled."""
        if self.state == "cancelled" or self.closed_out_at is not None:
            return
        before = self.state
        outcome = cascade(visits, len(self.demand), self.round_no)
        self.state, self.needs_follow_up = outcome.state, outcome.needs_follow_up
        if self.state == before:
            return
        if self.state == "scheduled":
            self.record(
                WorkOrderScheduled(
                    **self._state(),
                    appointment_id=trigger.appointment_id,
                    start_at=trigger.start_at,
                    end_at=trigger.end_at,
                    technician_ids=trigger.technician_ids,
                )
            )
        elif self.state == "in_progress":
            self.started_at = self.started_at or trigger.at
            self.record(
                WorkOrderStarted(
                    **self._state(),
                    started_at=self.started_at,
                    appointment_id=trigger.appointment_id,
                    technician_ids=trigger.technician_ids,
                )
            )
        elif self.state == "completed":
            if self.first_time_fix is None:
                self.first_time_fix = all(visit.state in ("completed", "cancelled") for visit in visits)
            fitted = self._fit_goods() if self.kind == "install" else []
            self._complete("done", done, fitted, trigger.at)

    def confirm_line(self, quantity: Decimal) -> None:
        """The sales order stands, with `quantity` of what is to be installed."""
        self.drop_hold("order")
        self.lines = [{**line, "quantity": format(quantity, "f")} for line in self.lines]

    def note_shipment(self, serials: Sequence[str], *, complete: bool, earliest_at: datetime) -> None:
        """Goods are on their way; with the last of them it may be planned, not before `earliest_at`."""
        self.lines = [{**line, "serials": list(serials)} for line in self.lines]
        if complete:
            self.drop_hold("goods")
            self.earliest_at = earliest_at

    def flag(self, code: str, detail: str, since: datetime) -> None:
        """Ask people to look; a code that is there already stays as it is."""
        if all(item["code"] != code for item in self.attention):
            self.attention = [*self.attention, {"code": code, "since": since.isoformat(), "detail": detail}]

    def require(self, verb: str) -> None:
        """Raise IllegalState unless the state allows `verb`."""
        if verb not in self.allowed:
            raise IllegalState(
                f"A work order that is {self.state} does not allow: {verb}.",
                state=self.state,
                allowed=self.allowed,
            )

    def _complete(self, outcome: str, done: WorkDone, fitted: list[dict[str, Any]], at: datetime) -> None:
        self.state, self.completed_at = "completed", at
        self.record(
            WorkOrderCompleted(
                **self._state(),
                completed_at=at,
                outcome=outcome,
                first_time_fix=self.first_time_fix,
                visits=done.visits,
                labour_minutes=done.labour_minutes,
                travel_minutes=done.travel_minutes,
                fitted=fitted,
                parts=[],
            )
        )

    def _fit_goods(self) -> list[dict[str, Any]]:
        """Use the planned goods: one entry a serial, and one for those without."""
        fitted = []
        for line in self.lines:
            if line["state"] != "planned":
                continue
            anonymous = Decimal(line["quantity"]) - len(line["serials"])
            fitted += [
                {"product_id": line["product_id"], "serial": serial, "quantity": "1"}
                for serial in line["serials"]
            ]
            if anonymous > 0:
                fitted.append(
                    {"product_id": line["product_id"], "serial": None, "quantity": format(anonymous, "f")}
                )
        self.lines = [
            {**line, "state": "used" if line["state"] == "planned" else line["state"]} for line in self.lines
        ]
        return fitted

    def _check_dates(self) -> None:
        if self.due_at is not None and self.due_at < self.reported_at:
            raise Invalid.field("/due_at", "It cannot be due before it was reported.")

    def _state(self) -> dict[str, Any]:
        return {
            "work_order_id": self.id,
            "number": self.number,
            "kind": self.kind,
            "state": self.state,
            "priority": self.priority,
            "source": self.source,
            "account_id": self.account_id,
            "contact_id": self.contact_id,
            "asset_id": self.asset_id,
            "order_id": self.order_id,
            "order_line_id": self.source_line_id if self.source_kind == "order_line" else None,
            "opportunity_id": self.opportunity_id,
            "case_id": self.case_id,
            "product_id": self.product_id,
            "site": {name: self.site[name] for name in ("address", "latitude", "longitude", "time_zone")},
            "reported_at": self.reported_at,
            "due_at": self.due_at,
            "earliest_at": self.earliest_at,
            "holds": [hold["kind"] for hold in self.holds],
        }


class OrderHeard(Base):
    """What was heard of a sales order so far, in whatever order it came; 0 is never.

    `submitted_no`, `acknowledged_no` and `ended_no` are numbers of requests to the ERP: an order that was rejected may
    be submitted again. `confirmed`: quantity by line. `shipped`: {cumulative, serials, shipped_at} by line.
    """

    __tablename__ = "orders_heard"

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    submitted_no: Mapped[int]
    acknowledged_no: Mapped[int]
    ended_no: Mapped[int]
    end_code: Mapped[str | None]
    end_text: Mapped[str | None]
    confirmed: Mapped[dict[str, Any]] = mapped_column(JSONB)
    shipped: Mapped[dict[str, Any]] = mapped_column(JSONB)
