"""Scoring: what the active model makes of a lead, and the timer that notices when it cools."""

from __future__ import annotations

from services.marketing import scoring
from services.marketing.leads.model import Lead, Scored
from services.marketing.leads.repository import Leads
from services.marketing.leads.use_cases import COOLING, moment_now
from services.marketing.processes.lead_handover import qualify_when_hot
from services.marketing.scoring_models.model import ScoringModel
from services.marketing.scoring_models.repository import ScoringModels
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.timers import Timer

__all__ = ["cool_lead", "rescore"]

SETTLED = ("converted", "disqualified", "merged")


def rescore(lead: Lead, uow: UnitOfWork) -> None:
    """Score a lead as of now; a hot one goes to sales. Before its verdict there is nothing to score, and what is
    settled stays as it was."""
    if lead.verdict is None or lead.state in SETTLED:
        return
    model = ScoringModels(uow.session).active()
    moment = moment_now(uow, lead.origin)
    # The behaviours are read by a query, so they have to be there.
    uow.flush()
    score, contributions = scoring.behaviour_score(
        Leads(uow.session).behaviours(lead.id), model.weights, model.caps, model.half_life_seconds, moment.at
    )
    fit = scoring.fit(model.criteria, scoring.known_fields(vars(lead)))
    temperature = scoring.temperature_of(
        score, fit.grade, is_genuine=lead.is_genuine, warm_from=model.warm_from, hot_from=model.hot_from
    )
    lead.rate(Scored(model.id, model.half_life_seconds, score, contributions, fit, temperature), moment)
    _watch(lead, model, uow)
    if temperature == "hot":
        qualify_when_hot(lead, model, uow)


def cool_lead(timer: Timer, uow: UnitOfWork) -> None:
    """The score has reached a threshold."""
    lead = Leads(uow.session).find(timer.owner_id, lock=True)
    if lead is not None:
        rescore(lead, uow)


def _watch(lead: Lead, model: ScoringModel, uow: UnitOfWork) -> None:
    """Set the timer to the instant at which the temperature falls, if it ever does."""
    threshold = {"hot": model.hot_from, "warm": model.warm_from}.get(lead.temperature or "")
    cools_at = None
    if threshold is not None and lead.score_ref is not None and lead.score_ref_at is not None:
        cools_at = scoring.falls_below_at(
            lead.score_ref, lead.score_ref_at, threshold, model.half_life_seconds
        )
    if cools_at is None:
        uow.timers.cancel("lead", lead.id, COOLING)
    else:
        uow.timers.set("lead", lead.id, COOLING, cools_at)
