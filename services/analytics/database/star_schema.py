"""The tables that projections fill. They can be thrown away: all of them follow from the archive.

`info["keep"]` says which rows stay when several have the same key:
`newest`: the one with the highest (version, event_id); `every`: one row a fact, keyed by the fact's id;
`versions`: one row a version, with the interval in which it held. Intervals are half open, [valid_from,
valid_to): valid_from is the running maximum of effective_at over the versions, so they never overlap, and
valid_to of the newest version is `infinity`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from shared.db.base import new_metadata

__all__ = [
    "CONTRACTS",
    "CUSTOMERS",
    "CUSTOMER_LINKS",
    "OPPORTUNITY_VERSIONS",
    "ORDER_STEPS",
    "ORDER_VERSIONS",
    "PEOPLE",
    "PRODUCTS",
    "STAGES",
    "STAR",
    "TEAMS",
    "TIMELINE",
    "WORK_ORDERS",
]

STAR = new_metadata()
_TIME = DateTime(timezone=True)
_AMOUNT = Numeric(19, 4)
_NEWEST_VERSION = text("valid_to = 'infinity'")


def _newest(name: str, key: tuple[str, ...], *columns: Any) -> Table:
    keys = [Column(part, Text if part == "stage" else Uuid, primary_key=True) for part in key]
    version = (Column("version", BigInteger, nullable=False), Column("event_id", Uuid, nullable=False))
    return Table(name, STAR, *keys, *version, *columns, info={"keep": "newest"})


def _every(name: str, key: str, *columns: Any) -> Table:
    return Table(name, STAR, Column(key, Uuid, primary_key=True), *columns, info={"keep": "every"})


def _versions(name: str, key: str, *columns: Any) -> Table:
    return Table(
        name,
        STAR,
        Column(key, Uuid, primary_key=True),
        Column("version", BigInteger, primary_key=True),
        Column("event_id", Uuid, nullable=False),
        Column("effective_at", _TIME, nullable=False),
        Column("valid_from", _TIME, nullable=False),
        Column("valid_to", _TIME, nullable=False),
        *columns,
        info={"keep": "versions"},
    )


PEOPLE = _newest(
    "people",
    ("user_id",),
    Column("display_name", Text, nullable=False),
    Column("manager_id", Uuid),
    Column("team_ids", ARRAY(Uuid), nullable=False),
    Column("active", Boolean, nullable=False),
)
TEAMS = _newest(
    "team_names",
    ("team_id",),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("parent_id", Uuid),
    Column("lead_id", Uuid),
)
PRODUCTS = _newest(
    "products",
    ("product_id",),
    Column("sku", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("family", Text),
)
STAGES = _newest(
    "stages",
    ("pipeline_id", "stage"),
    Column("name", Text, nullable=False),
    Column("position", Integer, nullable=False),
)
CUSTOMERS = _newest(
    "customers",
    ("customer_id",),
    Column("kind", Text, nullable=False),
    Column("name", Text),
    Column("owner_id", Uuid),
    Column("sector", Text),
)
CUSTOMER_LINKS = _every(
    "customer_links",
    "event_id",
    Column("member_id", Uuid, nullable=False, index=True),
    Column("customer_id", Uuid, nullable=False, index=True),
)
TIMELINE = _every(
    "timeline",
    "entry_id",
    Column("customer_id", Uuid, nullable=False),
    Column("service", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("effective_at", _TIME, nullable=False),
    Column("occurred_at", _TIME, nullable=False),
    Column("correlation_id", Uuid, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("channel", Text),
    Column("amount", _AMOUNT),
    Column("amount_currency", Text),
    Index("ix_timeline_customer_id", "customer_id", text("effective_at DESC"), text("entry_id DESC")),
)
OPPORTUNITY_VERSIONS = _versions(
    "opportunity_versions",
    "opportunity_id",
    Column("origin", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("pipeline_id", Uuid, nullable=False),
    Column("stage", Text, nullable=False),
    Column("account_id", Uuid),
    Column("owner_id", Uuid, nullable=False),
    Column("close_date", Date, nullable=False),
    Column("probability_bp", Integer, nullable=False),
    Column("forecast_category", Text, nullable=False),
    Column("has_amount", Boolean, nullable=False),
    # In the base currency, at the rate that the fact was recorded with.
    Column("amount", _AMOUNT),
    Column("weighted", _AMOUNT),
    Column("currency", Text),
    # The amounts shared out over the products, in the order of product_ids: they add up exactly.
    Column("product_ids", ARRAY(Uuid), nullable=False),
    Column("product_amounts", ARRAY(_AMOUNT), nullable=False),
    Column("product_weighted", ARRAY(_AMOUNT), nullable=False),
    Index("ix_opportunity_versions_newest", "status", "close_date", postgresql_where=_NEWEST_VERSION),
)
ORDER_VERSIONS = _versions(
    "order_versions",
    "order_id",
    Column("origin", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("fulfilment", Text, nullable=False),
    Column("billing", Text, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("owner_id", Uuid),
    Column("opportunity_id", Uuid),
    Column("currency", Text, nullable=False),
    Column("net", _AMOUNT, nullable=False),
    # Net of what the ERP has confirmed and nobody has called off since.
    Column("booked", _AMOUNT, nullable=False),
    Column("product_ids", ARRAY(Uuid), nullable=False),
    Column("product_booked", ARRAY(_AMOUNT), nullable=False),
    Index("ix_order_versions_newest", "state", postgresql_where=_NEWEST_VERSION),
)
ORDER_STEPS = _every(
    "order_steps",
    "event_id",
    Column("order_id", Uuid, nullable=False),
    Column("step", Text, nullable=False),
    Column("effective_at", _TIME, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("owner_id", Uuid),
    Column("amount", _AMOUNT, nullable=False),
    Column("currency", Text, nullable=False),
    Column("product_ids", ARRAY(Uuid), nullable=False),
    Index("ix_order_steps_step", "step", "effective_at"),
)
CONTRACTS = _newest(
    "contracts",
    ("contract_id",),
    Column("state", Text, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("owner_id", Uuid),
    Column("order_id", Uuid),
    Column("starts_on", Date),
    Column("ends_on", Date),
)
WORK_ORDERS = _newest(
    "work_orders",
    ("work_order_id",),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("order_id", Uuid),
    Column("completed_at", _TIME),
)
