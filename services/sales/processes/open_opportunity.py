"""Open, change and move deals: an opportunity stands on a live account and goes by a published pipeline."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement

from services.sales.accounts.repository import Accounts
from services.sales.opportunities import use_cases
from services.sales.opportunities.repository import Opportunities
from services.sales.pipelines.repository import Pipelines
from services.sales.processes.win_opportunity import require_no_order
from services.sales.sales_policy import PipelinePlan
from shared.db.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from services.sales.opportunities.model import Opportunity

__all__ = ["change_opportunity", "move_opportunity", "open_opportunity", "reopen_opportunity"]


def open_opportunity(values: Mapping[str, Any], uow: UnitOfWork) -> Opportunity:
    """Open a deal in the named pipeline, or in the default one.

    Raises NotFound, AccountNotLive, NoActivePipeline and what `create_opportunity` raises.
    """
    with uow:
        given = dict(values)
        given["account_name"] = _live_account_name(uow, given.get("account_id"))
        plan = _plan(uow, given.pop("pipeline_id", None))
        return use_cases.create_opportunity(given, plan, uow)


def change_opportunity(
    opportunity_id: uuid.UUID,
    changes: Mapping[str, Any],
    uow: UnitOfWork,
    *,
    expected_version: int | None,
    where: ColumnElement[bool] | None = None,
) -> Opportunity:
    """Change an open deal; another account must be live. Raises what `edit_opportunity` raises, AccountNotLive."""
    with uow:
        given = dict(changes)
        if "account_id" in given:
            given["account_name"] = _live_account_name(uow, given["account_id"])
        return use_cases.edit_opportunity(
            opportunity_id, given, uow, expected_version=expected_version, where=where
        )


def move_opportunity(
    opportunity_id: uuid.UUID,
    stage: str,
    uow: UnitOfWork,
    *,
    expected_version: int | None,
    override_reason: str | None = None,
    where: ColumnElement[bool] | None = None,
) -> Opportunity:
    """Move a deal to another stage of its own pipeline version.

    Raises NotFound, Stale, IllegalState, UnknownStage, StageUnreachable.
    """
    with uow:
        deal = Opportunities(uow.session).get(opportunity_id, expected_version=expected_version, where=where)
        plan = _plan(uow, deal.pipeline_id)
        deal.move(stage, plan, use_cases.moment_now(uow), override_reason=override_reason)
        return deal


def reopen_opportunity(
    opportunity_id: uuid.UUID,
    stage: str | None,
    reason: str,
    uow: UnitOfWork,
    *,
    expected_version: int | None,
    where: ColumnElement[bool] | None = None,
) -> Opportunity:
    """Open a closed deal again, by default in the stage it was closed in.

    Raises NotFound, Stale, IllegalState, UnknownStage, OrderStands.
    """
    with uow:
        deal = Opportunities(uow.session).get(opportunity_id, expected_version=expected_version, where=where)
        require_no_order(deal.id, uow)
        deal.reopen(stage or deal.stage, reason, _plan(uow, deal.pipeline_id), use_cases.moment_now(uow))
        return deal


def _live_account_name(uow: UnitOfWork, account_id: uuid.UUID | None) -> str | None:
    if account_id is None:
        return None
    return Accounts(uow.session).live_name(account_id)


def _plan(uow: UnitOfWork, pipeline_id: uuid.UUID | None) -> PipelinePlan:
    pipelines = Pipelines(uow.session)
    return pipelines.active_plan() if pipeline_id is None else pipelines.plan(pipeline_id)
