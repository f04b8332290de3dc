"""Refusals of the quotes slice."""

from __future__ import annotations

from shared.kernel.errors import Conflict, Invalid, NotPermitted

__all__ = [
    "AlreadyAccepted",
    "DocumentChanged",
    "NoLines",
    "OwnApproval",
    "QuantityTooFine",
    "QuoteExpired",
    "UnknownTaxCode",
]


class NoLines(Conflict):
    """A quote without lines cannot be submitted."""

    problem = "no-lines"
    title = "The quote has no lines"


class OwnApproval(NotPermitted):
    """Nobody approves what they asked for themselves."""

    problem = "own-approval"
    title = "You cannot approve your own request"


class QuoteExpired(Conflict):
    """The last day of the offer is over."""

    problem = "quote-expired"
    title = "The quote has expired"


class DocumentChanged(Conflict):
    """The signer saw another document."""

    problem = "document-changed"
    title = "This is not the document that was sent"


class AlreadyAccepted(Conflict):
    """Somebody else accepted before."""

    problem = "already-accepted"
    title = "The quote was accepted already"


class QuantityTooFine(Invalid):
    """The product is not sold in fractions that small."""

    problem = "quantity-too-fine"
    title = "The quantity is too fine"


class UnknownTaxCode(Invalid):
    """A product carries a tax code without a rate."""

    problem = "unknown-tax-code"
    title = "There is no rate for the tax code"
