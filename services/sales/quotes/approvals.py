"""Which approvals a quote needs: the union of the levels of all rules that match, lowest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ApprovalRule", "levels_needed"]


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Matches when every bound that is set holds: discount at least, margin below,
    payment days above."""

    level: int
    min_discount_bp: int | None = None
    below_margin_bp: int | None = None
    above_payment_days: int | None = None

    def matches(self, discount_bp: int, margin_bp: int | None, payment_days: int) -> bool:
        """Whether a quote with these figures needs this rule's level."""
        return all(
            (
                self.min_discount_bp is None or discount_bp >= self.min_discount_bp,
                self.below_margin_bp is None or (margin_bp is not None and margin_bp < self.below_margin_bp),
                self.above_payment_days is None or payment_days > self.above_payment_days,
            )
        )


def levels_needed(
    rules: Iterable[ApprovalRule], discount_bp: int, margin_bp: int | None, payment_days: int
) -> list[int]:
    """The levels that have to approve, lowest first; empty where nobody has to."""
    return sorted({rule.level for rule in rules if rule.matches(discount_bp, margin_bp, payment_days)})
