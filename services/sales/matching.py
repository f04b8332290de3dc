"""How alike two customer records are: folded names, weights and thresholds.

Names are compared by the share of trigrams that they have in common (`similarity` of PostgreSQL's pg_trgm), which the
queries ask the database for; everything else is reckoned here.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from anyascii import anyascii
from cleanco import basename

__all__ = [
    "ACCOUNT_CANDIDATE",
    "CONTACT_CANDIDATE",
    "PROBABLE",
    "account_score",
    "contact_score",
    "fold_company",
    "fold_person",
]

ACCOUNT_CANDIDATE = Decimal("0.5")
CONTACT_CANDIDATE = Decimal("0.6")
PROBABLE = Decimal("0.75")
"""From here on a record is not created beside another one unless somebody says that it is not the same."""

CERTAIN = Decimal(1)
_OTHER = re.compile(r"[^a-z0-9]+")


def fold_company(name: str) -> str:
    """`name` without legal form, accents, capitals and punctuation: "ACME Robotix Ltd" is `acme robotix`."""
    return _fold(basename(name) or name)


def fold_person(*names: str | None) -> str:
    """The names of a person, folded and joined in the order given."""
    return _fold(" ".join(name for name in names if name))


def account_score(
    similarity: float, *, same_tax_id: bool, same_domain: bool, same_phone: bool, same_place: bool
) -> Decimal:
    """How sure two accounts are the same company, 0 to 1 with 4 decimals.

    `similarity` of the folded names; `same_tax_id` includes the country; `same_place`: country and postal code.
    """
    if same_tax_id:
        return CERTAIN
    return _weigh((0.45, similarity), (0.25, same_domain), (0.20, same_phone), (0.10, same_place))


def contact_score(similarity: float, *, same_email: bool, same_phone: bool, same_account: bool) -> Decimal:
    """How sure two contacts are the same person, 0 to 1 with 4 decimals."""
    if same_email:
        return CERTAIN
    return _weigh((0.50, similarity), (0.35, same_phone), (0.15, same_account))


def _weigh(*parts: tuple[float, float]) -> Decimal:
    total = sum((Decimal(str(weight)) * Decimal(str(value * 1)) for weight, value in parts), Decimal(0))
    return total.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def _fold(name: str) -> str:
    return _OTHER.sub(" ", anyascii(name).lower()).strip()
