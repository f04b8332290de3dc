"""The baseline: what Flask, marshmallow and SQLAlchemy do by themselves, with one outbox row in the same transaction.

No tokens, no permissions, no contracts, no audit, no business rules: the least that could be called the same work.
`prepare` makes its tables; gunicorn serves `bench.raw:make_app()`.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from flask import Flask, Response, jsonify, request
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from sqlalchemy import BigInteger, DateTime, Identity, Index, Numeric, create_engine, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

__all__ = ["make_app", "prepare"]

URL = "BENCH_RAW_DATABASE_URL"
PAGE = 50


class _Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True), Decimal: Numeric(19, 4), dict[str, Any]: JSONB}


class _Opportunity(_Base):
    __tablename__ = "opportunities"
    __table_args__ = (Index("ix_opportunities_stage_created_at", "stage", "created_at", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="open")
    account_id: Mapped[uuid.UUID | None]
    account_name: Mapped[str | None]
    owner_id: Mapped[uuid.UUID]
    pipeline_id: Mapped[uuid.UUID]
    stage: Mapped[str]
    stage_entered_at: Mapped[datetime]
    probability_bp: Mapped[int] = mapped_column(default=1000)
    forecast_category: Mapped[str] = mapped_column(default="pipeline")
    amount: Mapped[Decimal | None]
    amount_currency: Mapped[str | None]
    close_date: Mapped[date]
    next_step: Mapped[str | None]
    external_id: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class _Lead(_Base):
    __tablename__ = "leads"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    source: Mapped[str]
    given_name: Mapped[str | None]
    family_name: Mapped[str | None]
    email: Mapped[str]
    phone: Mapped[str | None]
    title: Mapped[str | None]
    company_name: Mapped[str | None]
    country: Mapped[str | None]
    employee_count: Mapped[int | None]
    product_group: Mapped[str | None]
    interest: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="new")
    created_at: Mapped[datetime]


class _Outbox(_Base):
    __tablename__ = "outbox"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4)
    event_type: Mapped[str]
    aggregate_id: Mapped[uuid.UUID]
    headers: Mapped[dict[str, Any]]
    payload: Mapped[bytes]
    occurred_at: Mapped[datetime]
    published_at: Mapped[datetime | None]


class _Money(Schema):
    amount = fields.Decimal(required=True, as_string=True)
    currency = fields.String(required=True, validate=validate.Length(equal=3))


class _OpportunityIn(Schema):
    name = fields.String(required=True, validate=validate.Length(min=1, max=200))
    account_id = fields.UUID(allow_none=True)
    owner_id = fields.UUID(required=True)
    amount = fields.Nested(_Money)
    close_date = fields.Date(required=True)
    next_step = fields.String(validate=validate.Length(max=500))


class _OpportunityOut(Schema):
    id = fields.UUID()
    name = fields.String()
    status = fields.String()
    account_id = fields.UUID()
    account_name = fields.String()
    owner_id = fields.UUID()
    pipeline_id = fields.UUID()
    stage = fields.String()
    stage_entered_at = fields.DateTime()
    probability_bp = fields.Integer()
    forecast_category = fields.String()
    amount = fields.Decimal(as_string=True)
    amount_currency = fields.String()
    close_date = fields.Date()
    next_step = fields.String()
    external_id = fields.String()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class _LeadFields(Schema):
    source = fields.String(load_default="api")
    given_name = fields.String(validate=validate.Length(max=120))
    family_name = fields.String(validate=validate.Length(max=120))
    email = fields.String(required=True, validate=validate.Length(max=254))
    phone = fields.String(validate=validate.Length(max=40))
    title = fields.String(validate=validate.Length(max=120))
    company_name = fields.String(validate=validate.Length(max=200))
    country = fields.String(validate=validate.Length(equal=2))
    employee_count = fields.Integer()
    product_group = fields.String(validate=validate.Length(max=120))
    interest = fields.String(validate=validate.Length(max=5000))


class _LeadOut(_LeadFields):
    id = fields.UUID()
    state = fields.String()
    created_at = fields.DateTime()


class _Filters(Schema):
    class Meta:
        unknown = EXCLUDE

    stage = fields.String(required=True)
    status = fields.String(required=True)


def prepare(url: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Make the tables in the empty database at `url` and store `rows` as opportunities."""
    engine = create_engine(_driver(url))
    _Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(_Opportunity(**row) for row in rows)
        session.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def make_app() -> Flask:
    """The application on the database that the environment names."""
    app = Flask(__name__, static_folder=None)
    sessions = sessionmaker(create_engine(_driver(os.environ[URL]), pool_size=10), expire_on_commit=False)
    opportunity_in, opportunity_out = _OpportunityIn(), _OpportunityOut()
    lead_in, lead_out, filters = _LeadFields(), _LeadOut(), _Filters()
    pipeline_id = uuid.uuid4()

    @app.post("/opportunities")
    def create_opportunity() -> tuple[Response, int]:
        values = opportunity_in.load(request.get_json())
        now = datetime.now(UTC)
        money = values.pop("amount", {"amount": None, "currency": None})
        deal = _Opportunity(
            **values,
            id=uuid.uuid4(),
            amount=money["amount"],
            amount_currency=money["currency"],
            pipeline_id=pipeline_id,
            stage="initiation",
            stage_entered_at=now,
            created_at=now,
            updated_at=now,
        )
        return _store(deal, "opportunity.created", opportunity_out), 201

    @app.post("/leads")
    def create_lead() -> tuple[Response, int]:
        lead = _Lead(**lead_in.load(request.get_json()), id=uuid.uuid4(), created_at=datetime.now(UTC))
        return _store(lead, "lead.captured", lead_out), 201

    @app.get("/opportunities")
    def list_opportunities() -> Response:
        given = filters.load(request.args)
        query = select(_Opportunity).filter_by(**given)
        query = query.order_by(_Opportunity.created_at.desc(), _Opportunity.id.desc()).limit(PAGE)
        with sessions() as session:
            return jsonify(items=opportunity_out.dump(session.scalars(query).all(), many=True))

    @app.errorhandler(ValidationError)
    def refuse(error: ValidationError) -> tuple[Response, int]:
        return jsonify(errors=error.messages), 422

    def _store(record: Any, event_type: str, schema: Schema) -> Response:
        with sessions() as session:
            session.add(record)
            session.flush()
            answer = schema.dump(record)
            fact = _Outbox(
                event_type=event_type,
                aggregate_id=record.id,
                headers={"type": event_type, "subject": str(record.id)},
                payload=json.dumps(answer).encode(),
                occurred_at=record.created_at,
            )
            session.add(fact)
            session.commit()
            return jsonify(answer)

    return app


def _driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
