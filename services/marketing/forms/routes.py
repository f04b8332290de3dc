"""Forms over HTTP, and the door through which strangers' browsers send them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import Response, json, request

from services.marketing.forms import queries, use_cases
from services.marketing.forms.schemas import (
    LEAD_FIELDS,
    CreateForm,
    EditForm,
    FormFilters,
    FormOut,
    FormRow,
    OpenForm,
    Submitted,
    Tracking,
)
from services.marketing.processes.capture_lead import submit_form
from shared.db.listing import Page
from shared.web import PUBLIC, Blueprint, links, session, unit_of_work
from shared.web.bodies import json_body

if TYPE_CHECKING:
    from services.marketing.forms.model import Form

__all__ = ["blueprint", "public_forms"]

SHOWN = "form-shown"
"""Purpose of the token that says when a form was shown."""

SHOWN_FOR = timedelta(days=7)
MAX_SUBMISSION = 64 * 1024
MAX_FIELDS = 100
MAX_TRACKING = 200
_ENCODED = ("application/x-www-form-urlencoded", "multipart/form-data")
_RESERVED = ("form_token", "submission_id")

blueprint = Blueprint(
    "forms", __name__, url_prefix="/v1/forms", description="Web forms that leads come in by"
)
public_forms = Blueprint(
    "public_forms", __name__, url_prefix="/public/v1/forms", description="Where browsers send forms"
)

_ANYTHING = {"type": "object", "additionalProperties": True}
_BODY = {
    "requestBody": {
        "description": "The fields of the form; `submission_id` and `form_token` if there are any. What the form does"
        " not know is kept, and named in the answer.",
        "content": {kind: {"schema": _ANYTHING} for kind in ("application/json", _ENCODED[0])},
    },
    "responses": {
        200: {
            "description": "The same submission was sent before",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Submitted"}}},
        }
    },
}


@blueprint.get("", permission="form.read")
@blueprint.arguments(FormFilters, location="query")
@blueprint.page(FormRow)
def list_forms(filters: dict[str, Any]) -> Page:
    """List forms."""
    return queries.list_forms(session(), filters)


@blueprint.post("", permission="form.edit")
@blueprint.arguments(CreateForm)
@blueprint.response(201, FormOut)
def create_form(values: dict[str, Any]) -> Form:
    """Create a form."""
    return use_cases.create_form(values, unit_of_work())


@blueprint.get("/<uuid:form_id>", permission="form.read")
@blueprint.response(200, FormOut)
def get_form(form_id: uuid.UUID) -> Form:
    """Read a form."""
    return queries.get_form(session(), form_id)


@blueprint.patch("/<uuid:form_id>", permission="form.edit")
@blueprint.arguments(EditForm)
@blueprint.response(200, FormOut)
def edit_form(changes: dict[str, Any], form_id: uuid.UUID, expected_version: int) -> Form:
    """Change a form, or close it (`is_active`)."""
    return use_cases.edit_form(form_id, changes, unit_of_work(), expected_version=expected_version)


@public_forms.get("/<uuid:form_id>", permission=PUBLIC)
@public_forms.response(200, OpenForm)
def show_form(form_id: uuid.UUID) -> dict[str, Any]:
    """What a page needs to show the form."""
    form = queries.get_open_form(session(), form_id)
    now = unit_of_work().clock.now()
    shown = {"form": str(form.id), "at": int(now.timestamp() * 1000)}
    return {
        "name": form.name,
        "field_names": [*form.fields, form.honeypot],
        "consent_text_version": form.consent_text_version,
        "form_token": links.sign(SHOWN, shown, now + SHOWN_FOR),
    }


@public_forms.post("/<uuid:form_id>", permission=PUBLIC, max_body=MAX_SUBMISSION)
@public_forms.arguments(Tracking, location="query")
@public_forms.response(201, Submitted)
@public_forms.doc(**_BODY)
def send_form(tracking: dict[str, Any], form_id: uuid.UUID) -> Response:
    """Send a form, as JSON or as a browser encodes it. The answer is the same for people and robots."""
    sent = _sent()
    reserved = {name: sent.pop(name, None) for name in _RESERVED}
    utm = {
        name.removeprefix("utm_"): value[:MAX_TRACKING]
        for name, value in {**tracking, **_tracking(sent)}.items()
    }
    submission_id = (reserved["submission_id"] or "")[:MAX_TRACKING] or None
    captured, ignored = submit_form(
        form_id,
        sent,
        unit_of_work(),
        submission_id=submission_id,
        utm=utm,
        fill_seconds=_fill_seconds(form_id, reserved["form_token"]),
        limits=LEAD_FIELDS,
        ip=request.remote_addr,
        user_agent=(request.user_agent.string or None),
    )
    body = {"lead_id": str(captured.lead.id), "ignored_fields": ignored}
    status = 200 if captured.outcome == "repeated" else 201
    return Response(json.dumps(body), status, content_type="application/json")


def _sent() -> dict[str, str]:
    """The fields as text, whatever the encoding; fields that are neither text nor number nor yes or no as JSON."""
    if request.mimetype in _ENCODED:
        pairs = {name: ", ".join(texts) for name, texts in request.form.lists()}
    else:
        body = json_body()
        pairs = body if isinstance(body, dict) else {}
    texts = {
        str(name): value if isinstance(value, str) else json.dumps(value)
        for name, value in list(pairs.items())[:MAX_FIELDS]
        if value is not None
    }
    return {name.replace("\0", ""): text.replace("\0", "").strip() for name, text in texts.items()}


def _tracking(sent: dict[str, str]) -> dict[str, str]:
    """Taken out of what was sent: where the visitor came from."""
    return {name: sent.pop(name) for name in Tracking().fields if name in sent}


def _fill_seconds(form_id: uuid.UUID, token: str | None) -> float | None:
    """How long the form was shown before it was sent; None without a token of this form."""
    if not token:
        return None
    try:
        shown = links.verify(SHOWN, token)
    except links.LinkNotValid:
        return None
    if shown["form"] != str(form_id):
        return None
    return unit_of_work().clock.now().timestamp() - float(shown["at"]) / 1000
