"""Imports over HTTP: lines of JSON in, a line with a verdict out for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from flask import Response, request
from marshmallow import ValidationError

from services.sales.imports.schemas import (
    ImportedAccount,
    ImportedOpportunity,
    ImportedProduct,
    ImportOptions,
    Verdict,
)
from services.sales.processes import import_accounts as accounts
from services.sales.processes import import_opportunities as opportunities
from services.sales.processes import import_products as products
from services.sales.processes.import_rows import Outcome, Row
from shared.db.unit_of_work import UnitOfWork
from shared.web import Blueprint, Schema, unit_of_work
from shared.web.problems import UnsupportedMediaType
from shared.web.schema import field_errors

__all__ = ["blueprint"]

NDJSON = "application/x-ndjson"
_SAYS = "A verdict a line, in the order of the rows."
MAX_BODY = 25 * 1024 * 1024

blueprint = Blueprint("imports", __name__, url_prefix="/v1/imports", description="History from elsewhere")

Import = Callable[[Sequence[Row], UnitOfWork, bool], list[Outcome]]


def _documented(row: type[Schema]) -> Any:
    return blueprint.doc(
        requestBody={
            "required": True,
            "description": "One JSON object a line. Rows fail alone; the same rows again change nothing.",
            "content": {NDJSON: {"schema": row}},
        },
        responses={"200": {"description": _SAYS, "content": {NDJSON: {"schema": Verdict}}}},
    )


@blueprint.post("/accounts", permission="account.import", max_body=MAX_BODY)
@blueprint.arguments(ImportOptions, location="query")
@blueprint.response(200)
@_documented(ImportedAccount)
def import_accounts(options: dict[str, Any]) -> Response:
    """Import accounts; parents may come in any order."""
    return _answer(ImportedAccount(), accounts.import_accounts, options)


@blueprint.post("/products", permission="product.import", max_body=MAX_BODY)
@blueprint.arguments(ImportOptions, location="query")
@blueprint.response(200)
@_documented(ImportedProduct)
def import_products(options: dict[str, Any]) -> Response:
    """Import products with their list prices."""
    return _answer(ImportedProduct(), products.import_products, options)


@blueprint.post("/opportunities", permission="opportunity.import", max_body=MAX_BODY)
@blueprint.arguments(ImportOptions, location="query")
@blueprint.response(200)
@_documented(ImportedOpportunity)
def import_opportunities(options: dict[str, Any]) -> Response:
    """Import deals, open ones and history; nothing that acts on the world follows from them."""
    return _answer(ImportedOpportunity(), opportunities.import_opportunities, options)


def _answer(schema: Schema, run: Import, options: dict[str, Any]) -> Response:
    if request.mimetype != NDJSON:
        raise UnsupportedMediaType(f"Send the rows as {NDJSON}.")
    rows, outcomes = _read(schema, request.get_data())
    outcomes += run(rows, unit_of_work(), options["dry_run"])
    verdict = Verdict()
    lines = [orjson.dumps(verdict.dump(outcome)) for outcome in sorted(outcomes, key=lambda o: o.row)]
    return Response(b"".join(line + b"\n" for line in lines), content_type=NDJSON)


def _read(schema: Schema, body: bytes) -> tuple[list[Row], list[Outcome]]:
    """The rows that can be read, and a refusal for each of the others."""
    rows: list[Row] = []
    refused: list[Outcome] = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_row(schema, number, line))
        except orjson.JSONDecodeError:
            refused.append(Outcome.refused(number, None, "The line is not a JSON object."))
        except ValidationError as error:
            wrong = "; ".join(
                f"{e['pointer']}: {e['detail']}".removeprefix(": ") for e in field_errors(error.messages)
            )
            refused.append(Outcome.refused(number, None, wrong))
    return rows, refused


def _row(schema: Schema, number: int, line: bytes) -> Row:
    if b"\\u0000" in line:
        raise ValidationError("NUL characters are not allowed.")
    values = schema.load(orjson.loads(line))
    return Row(number, values.pop("external_id"), values)
