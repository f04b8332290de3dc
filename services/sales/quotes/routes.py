"""Quotes over HTTP, and the door through which customers accept them."""

from __future__ import annotations

import uuid
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from services.sales.processes import price_quote, win_opportunity
from services.sales.quotes import queries, use_cases
from services.sales.quotes.schemas import (
    AcceptByLink,
    Decision,
    DeclineByLink,
    DraftQuote,
    EditQuote,
    LinkedQuote,
    QuoteFilters,
    QuoteOut,
    QuoteRow,
    ReviseQuote,
    SendQuote,
)
from shared.company import company
from shared.db.listing import Page
from shared.web import PUBLIC, Blueprint, links, principal, session, unit_of_work

if TYPE_CHECKING:
    from services.sales.quotes.model import Quote

__all__ = ["blueprint", "quote_links"]

PURPOSE = "quote"
GRACE = timedelta(days=90)
"""How long a link shows what was agreed after the offer has ended."""

blueprint = Blueprint("quotes", __name__, url_prefix="/v1/quotes", description="Priced offers")
quote_links = Blueprint(
    "quote_links", __name__, url_prefix="/public/v1/quote-links", description="Where customers accept a quote"
)


def _shown(quote: Quote) -> dict[str, Any]:
    """A quote with the link of each recipient, once it is sent."""
    shown = {name: getattr(quote, name) for name in QuoteOut().fields}
    if quote.state in ("sent", "accepted", "declined"):
        shown["recipients"] = [
            {**recipient, "link": f"{quote_links.url_prefix}/{_token(quote, position)}"}
            for position, recipient in enumerate(quote.recipients)
        ]
    return shown


def _token(quote: Quote, recipient: int) -> str:
    end = datetime.combine(quote.valid_until, time(), company(session()).zone)
    return links.sign(PURPOSE, {"q": str(quote.id), "n": recipient, "r": quote.revision}, end + GRACE)


def _read(token: str) -> dict[str, Any]:
    payload = links.verify(PURPOSE, token, tell_expired=True)
    return {"quote_id": uuid.UUID(payload["q"]), "recipient": payload["n"], "revision": payload["r"]}


@blueprint.get("", permission="quote.read")
@blueprint.arguments(QuoteFilters, location="query")
@blueprint.page(QuoteRow)
def list_quotes(filters: dict[str, Any]) -> Page:
    """List quotes."""
    return queries.list_quotes(session(), principal(), filters)


@blueprint.post("", permission="quote.create")
@blueprint.arguments(DraftQuote)
@blueprint.response(201, QuoteOut)
def draft_quote(values: dict[str, Any]) -> dict[str, Any]:
    """Draft a priced quote for an open deal."""
    return _shown(price_quote.draft_quote(values, principal(), unit_of_work()))


@blueprint.get("/<uuid:quote_id>", permission="quote.read")
@blueprint.response(200, QuoteOut)
def get_quote(quote_id: uuid.UUID) -> dict[str, Any]:
    """Read a quote."""
    return _shown(queries.get_quote(session(), principal(), quote_id))


@blueprint.patch("/<uuid:quote_id>", permission="quote.edit")
@blueprint.arguments(EditQuote)
@blueprint.response(200, QuoteOut)
def edit_quote(changes: dict[str, Any], quote_id: uuid.UUID, expected_version: int) -> dict[str, Any]:
    """Change a draft; it is priced again."""
    visible = queries.visible_quotes(principal(), "quote.edit")
    return _shown(
        price_quote.edit_quote(
            quote_id, changes, unit_of_work(), expected_version=expected_version, where=visible
        )
    )


@blueprint.post("/<uuid:quote_id>/submit", permission="quote.submit", if_match=True)
@blueprint.response(200, QuoteOut)
def submit_quote(quote_id: uuid.UUID, expected_version: int) -> dict[str, Any]:
    """Ask for the approvals that the rules want; without any the quote is approved."""
    visible = queries.visible_quotes(principal(), "quote.submit")
    return _shown(
        use_cases.submit_quote(quote_id, unit_of_work(), expected_version=expected_version, where=visible)
    )


@blueprint.post("/<uuid:quote_id>/approve", permission="quote.approve", if_match=True)
@blueprint.arguments(Decision)
@blueprint.response(200, QuoteOut)
def approve_quote(command: dict[str, Any], quote_id: uuid.UUID, expected_version: int) -> dict[str, Any]:
    """Give the next approval."""
    visible = queries.visible_quotes(principal(), "quote.approve")
    return _shown(
        use_cases.approve_quote(
            quote_id,
            principal().user_id,
            command["note"],
            unit_of_work(),
            expected_version=expected_version,
            where=visible,
        )
    )


@blueprint.post("/<uuid:quote_id>/reject", permission="quote.approve", if_match=True)
@blueprint.arguments(Decision)
@blueprint.response(200, QuoteOut)
def reject_quote(command: dict[str, Any], quote_id: uuid.UUID, expected_version: int) -> dict[str, Any]:
    """Send a quote back to its author."""
    visible = queries.visible_quotes(principal(), "quote.approve")
    return _shown(
        use_cases.reject_quote(
            quote_id, command["note"], unit_of_work(), expected_version=expected_version, where=visible
        )
    )


@blueprint.post("/<uuid:quote_id>/recall", permission="quote.edit", if_match=True)
@blueprint.response(200, QuoteOut)
def recall_quote(quote_id: uuid.UUID, expected_version: int) -> dict[str, Any]:
    """Take a quote back to draft."""
    visible = queries.visible_quotes(principal(), "quote.edit")
    return _shown(
        use_cases.recall_quote(quote_id, unit_of_work(), expected_version=expected_version, where=visible)
    )


@blueprint.post("/<uuid:quote_id>/revise", permission="quote.edit", if_match=True)
@blueprint.arguments(ReviseQuote)
@blueprint.response(201, QuoteOut)
def revise_quote(command: dict[str, Any], quote_id: uuid.UUID, expected_version: int) -> dict[str, Any]:
    """Replace a quote by its next revision."""
    visible = queries.visible_quotes(principal(), "quote.edit")
    return _shown(
        price_quote.revise_quote(
            quote_id,
            command["valid_until"],
            unit_of_work(),
            expected_version=expected_version,
            where=visible,
        )
    )


@blueprint.post("/<uuid:quote_id>/send", permission="quote.send", if_match=True)
@blueprint.arguments(SendQuote)
@blueprint.response(200, QuoteOut)
def send_quote(command: dict[str, Any], quote_id: uuid.UUID, expected_version: int) -> dict[str, Any]:
    """Freeze the document and get a link for each recipient."""
    visible = queries.visible_quotes(principal(), "quote.send")
    return _shown(
        use_cases.send_quote(
            quote_id,
            command["recipients"],
            unit_of_work(),
            expected_version=expected_version,
            where=visible,
        )
    )


@quote_links.get("/<string:token>", permission=PUBLIC)
@quote_links.response(200, LinkedQuote)
def read_linked_quote(token: str) -> Quote:
    """What the recipient is offered."""
    quote = use_cases.view_quote(uow=unit_of_work(), **_read(token))
    if quote.state == "superseded":
        raise links.LinkExpired("There is a newer revision of this offer. Ask your contact for its link.")
    return quote


@quote_links.post("/<string:token>/accept", permission=PUBLIC)
@quote_links.arguments(AcceptByLink)
@quote_links.response(200, LinkedQuote)
def accept_linked_quote(command: dict[str, Any], token: str) -> Quote:
    """Accept the offer; the precondition is the hash of the document that was read."""
    return win_opportunity.accept_quote(
        signer=command["signer"],
        document_sha256=command["document_sha256"],
        uow=unit_of_work(),
        **_read(token),
    )


@quote_links.post("/<string:token>/decline", permission=PUBLIC)
@quote_links.arguments(DeclineByLink)
@quote_links.response(200, LinkedQuote)
def decline_linked_quote(command: dict[str, Any], token: str) -> Quote:
    """Decline the offer."""
    return use_cases.decline_quote(reason=command["reason"], uow=unit_of_work(), **_read(token))
