"""Import deals: open ones, and the history of those that were won and lost.

A deal's past is told as it would have been told then: created, moved, closed, each at its business date, all with the
origin `import`. Nothing acts on the world because of it: no order, no quote, no timer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from services.sales.accounts.repository import Accounts
from services.sales.opportunities.model import LOST_REASONS, Moment, Opportunity
from services.sales.opportunities.repository import Opportunities
from services.sales.pipelines.repository import Pipelines
from services.sales.processes.import_rows import Apply, Outcome, Row, import_rows, noon
from services.sales.products.repository import Products
from services.sales.sales_policy import PipelinePlan
from shared.company import company, in_base_currency
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import current_cause
from shared.kernel.errors import Conflict, Invalid
from shared.kernel.ids import new_id
from shared.kernel.money import Money

if TYPE_CHECKING:
    from services.sales.accounts.model import Account
    from services.sales.products.model import Product

__all__ = ["ClosedHere", "import_opportunities"]

CLOSES_WITHIN = timedelta(days=90)
"""When an open deal is expected to close if the row does not say."""
_PRICED = ("amount", "amount_source", "lines")
NO_ACCOUNT = "It has no account: it cannot be won before it gets one."


class ClosedHere(Conflict):
    """The deal is won or lost here, and the row says otherwise."""

    problem = "closed-here"
    title = "The deal is closed here"


def import_opportunities(rows: Sequence[Row], uow: UnitOfWork, dry_run: bool) -> list[Outcome]:
    """Create, change and close deals. An open deal without an account is kept with a warning."""
    return import_rows(rows, _prepare, uow, dry_run=dry_run)


def _prepare(chunk: Sequence[Row], uow: UnitOfWork) -> Apply:
    values = [row.values for row in chunk]
    deals = Opportunities(uow.session)
    importer = _Importer(
        uow,
        deals.add,
        deals.by_external_ids(row.external_id for row in chunk),
        Accounts(uow.session).by_external_ids(v["account_external_id"] for v in values),
        Products(uow.session).by_skus(v["product_sku"] for v in values),
        {name: Pipelines(uow.session).active_plan(name) for name in {v["pipeline"] for v in values}},
        company(uow.session).today(uow.clock.now()),
    )
    return importer.apply


@dataclass
class _Importer:
    """What a chunk of rows needs, read at once."""

    uow: UnitOfWork
    add: Callable[[Opportunity], Opportunity]
    deals: dict[str, Opportunity]
    accounts: Mapping[str, Account]
    products: Mapping[str, Product]
    plans: Mapping[str | None, PipelinePlan]
    today: date

    def apply(self, row: Row) -> Outcome:
        """Apply one row. Raises DomainError."""
        values = row.values
        if values["lost_reason"] not in LOST_REASONS:
            raise Invalid.field("/lost_reason", f"The reasons are {', '.join(LOST_REASONS)}.")
        wanted = self._wanted(values)
        deal = self.deals.get(row.external_id)
        if deal is None:
            deal = self._create(row, wanted)
            self.deals[row.external_id] = self.add(deal)
            warning = NO_ACCOUNT if wanted["account_id"] is None and values["status"] == "open" else None
            return Outcome.created(row, deal.id, warning)
        return Outcome.kept(row, deal.id, changed=self._change(deal, values, wanted))

    def _create(self, row: Row, wanted: Mapping[str, Any]) -> Opportunity:
        values = row.values
        created = self._moment(values["created_on"])
        close_date = values["close_date"] or (values["created_on"] or self.today) + CLOSES_WITHIN
        deal = Opportunity.create(
            {**wanted, "close_date": close_date, "external_id": row.external_id},
            self.plans[values["pipeline"]],
            created,
            base_amount=self._in_base(wanted["amount"], close_date),
            today=self.today,
        )
        self._advance(deal, values, created)
        return deal

    def _change(self, deal: Opportunity, values: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
        # What the row does not say stays as it is here, and so does what a quote has settled.
        changes = {name: value for name, value in wanted.items() if value is not None}
        if values["close_date"] is not None:
            changes["close_date"] = values["close_date"]
        if deal.amount_source == "quote":
            changes = {name: value for name, value in changes.items() if name not in _PRICED}
        if "lines" in changes and _sold(changes["lines"]) == _sold(deal.lines):
            # Only the ids of the lines differ.
            del changes["lines"]
        if deal.status != "open":
            self._require_same(deal, values, changes)
            return False
        now = self._moment(None)
        amount, close_date = changes.get("amount", deal.amount), changes.get("close_date", deal.close_date)
        base_amount = self._in_base(amount, close_date)
        changed = deal.edit(changes, now, base_amount=base_amount, today=self.today)
        return self._advance(deal, values, now) or changed

    def _advance(self, deal: Opportunity, values: Mapping[str, Any], moment: Moment) -> bool:
        """Bring an open deal to the stage or the end that the row tells of; whether it moved."""
        stage, day = values["stage"], values["close_date"]
        moves = stage is not None and stage != deal.stage
        if moves:
            deal.move(stage, self.plans[values["pipeline"]], moment, override_reason="import")
        if values["status"] == "won":
            amount = deal.amount or Money.zero(company(self.uow.session).base_currency)
            deal.win(
                day,
                self._moment(day),
                amount=amount,
                base_amount=in_base_currency(self.uow.session, amount, day),
            )
        elif values["status"] == "lost":
            deal.lose(values["lost_reason"], day, self._moment(day), competitor=None, note=None)
        return moves or values["status"] != "open"

    def _require_same(self, deal: Opportunity, values: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
        differs = [name for name, value in wanted.items() if getattr(deal, name) != value]
        if values["status"] != deal.status:
            differs.append("status")
        if differs:
            raise ClosedHere(
                f"The deal is {deal.status} here and differs in {', '.join(sorted(differs))}."
                " Reopen it before you import other values."
            )

    def _wanted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The deal's fields as the row tells them."""
        account = self._known("account_external_id", values, self.accounts)
        product = self._known("product_sku", values, self.products)
        wanted = {
            "name": values["name"],
            "owner_id": values["owner_id"],
            "account_id": account.id if account else None,
            "account_name": account.name if account else None,
            "amount": values["amount"],
            "amount_source": "lines" if product else "manual",
        }
        if account is not None:
            account.require_live()
        if product is not None:
            amount = values["amount"] or Money.zero(company(self.uow.session).base_currency)
            wanted["lines"] = [_line(product, amount)]
        return wanted

    def _known(self, name: str, values: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
        if values[name] is None:
            return None
        if values[name] not in known:
            raise Invalid.field(f"/{name}", f"There is no {name.split('_')[0]} {values[name]}.")
        return known[values[name]]

    def _in_base(self, amount: Money | None, day: date) -> Money | None:
        """At the rate of the day the deal closes, or of today while that lies ahead."""
        return amount and in_base_currency(self.uow.session, amount, min(day, self.today))

    def _moment(self, day: date | None) -> Moment:
        return Moment(noon(day, self.uow), "import", current_cause().actor_id)


def _line(product: Product, amount: Money) -> dict[str, Any]:
    return {
        "line_id": str(new_id()),
        "product_id": str(product.id),
        "sku": product.sku,
        "name": product.name,
        "kind": product.kind,
        "quantity": "1",
        "unit": product.unit,
        "unit_net": amount.to_data(),
        "net": amount.to_data(),
        "needs_installation": product.needs_installation,
        "warranty_months": product.warranty_months,
    }


def _sold(lines: Sequence[Mapping[str, Any]]) -> list[tuple[uuid.UUID, Any]]:
    return [(uuid.UUID(line["product_id"]), line["net"]) for line in lines]
